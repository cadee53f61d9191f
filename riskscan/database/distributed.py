"""What triggers do elsewhere: where the tables are distributed by user (deploy/citus.sql), there are none.

Each statement reads and writes the rows of one user, which lie together on one node. They run in one
transaction with the change that they belong to, the first of them locks the user's row (users.LOCK_USER).
"""

from __future__ import annotations

COUNT_SCAN = "UPDATE users SET scan_count = scan_count + 1 WHERE id = :user_id"
# after the scan or its details were stored
INDEX_FINGERPRINTS = """
INSERT INTO fingerprints (user_id, scan_id, fingerprint, findings)
SELECT user_id, id, detail ->> 'fingerprint', count(*)
FROM scans CROSS JOIN json_array_elements(CAST(details AS json)) AS detail
WHERE user_id = :user_id AND id = :id
GROUP BY user_id, id, detail ->> 'fingerprint'
ON CONFLICT DO NOTHING
"""
COUNT_REVIEWED_FINDINGS = """
UPDATE scans SET reviewed_count = reviewed.findings
FROM (
    SELECT sum(findings) AS findings FROM fingerprints
    JOIN reviews ON reviews.user_id = fingerprints.user_id AND reviews.fingerprint = fingerprints.fingerprint
    WHERE fingerprints.user_id = :user_id AND fingerprints.scan_id = :id
) AS reviewed
WHERE scans.user_id = :user_id AND scans.id = :id AND reviewed.findings > 0
"""

# before scans are deleted, all or none of them
UNCOUNT_SCANS = """
UPDATE users SET scan_count = scan_count - chosen.scans
FROM (
    SELECT count(*) AS scans FROM scans WHERE user_id = :user_id AND id IN (
        SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)) AS value
    )
) AS chosen
WHERE users.id = :user_id AND chosen.scans = :number
"""
DELETE_FINGERPRINTS = """
DELETE FROM fingerprints USING (
    SELECT count(*) AS scans FROM scans WHERE user_id = :user_id AND id IN (
        SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)) AS value
    )
) AS chosen
WHERE fingerprints.user_id = :user_id AND chosen.scans = :number AND scan_id IN (
    SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)) AS value
)
"""

# `emails` is a table here; a unique constraint of `users` could not hold over all nodes
INSERT_EMAIL = "INSERT INTO emails (email, user_id) VALUES (:email, :id)"
DELETE_USER_AND_EMAIL = """
WITH gone AS (
    DELETE FROM users WHERE id = :user_id AND token_version = :token_version RETURNING id
), freed AS (
    DELETE FROM emails USING gone WHERE emails.email = :email AND emails.user_id = gone.id
)
SELECT id FROM gone
"""
