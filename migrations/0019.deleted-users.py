"""Refuse a scan whose user is deleted while it is stored.

PostgreSQL 18.4 has been seen to delete the user although the check of the foreign key had locked their row,
while other transactions changed it; the scan stayed behind.
"""

from yoyo import step

POSTGRESQL = """
CREATE OR REPLACE FUNCTION count_scans() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET scan_count = scan_count + changed.scans * TG_ARGV[0]::integer
    FROM (SELECT user_id, count(*) AS scans FROM changed_scans GROUP BY user_id) changed
    WHERE users.id = changed.user_id;
    IF TG_OP = 'INSERT' AND NOT FOUND AND EXISTS (SELECT FROM changed_scans) THEN
        RAISE foreign_key_violation USING MESSAGE = 'the user of the scan has been deleted';
    END IF;
    RETURN NULL;
END $$;
"""


def apply(connection):
    if type(connection).__module__ != "sqlite3":
        connection.execute(POSTGRESQL)


steps = [step(apply)]
