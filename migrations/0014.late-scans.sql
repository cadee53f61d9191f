-- Finds the scans that a process of an earlier version has stored without what later versions store beside
-- them, so that riskscan/database/late_scans.py can add it. It is nearly empty. On PostgreSQL it blocks writes while
-- the table is read once.
CREATE INDEX IF NOT EXISTS scans_late ON scans (created_at)
WHERE details = '[]' AND risk_count > 0 OR draft_name IS NULL AND filename <> '';
