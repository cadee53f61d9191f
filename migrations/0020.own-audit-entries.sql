-- Finds what the Account page shows of the audit log, however many failed log-ins anybody causes. On PostgreSQL it
-- blocks the audit log, whose entries wait, while the table is read once.
CREATE INDEX IF NOT EXISTS audit_log_user_id_others ON audit_log (user_id, created_at, id)
WHERE event <> 'log-in-failed';
