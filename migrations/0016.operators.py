"""Disabled accounts, and the audit log.

The audit log has no foreign key: its entries outlive the account, until AUDIT_RETENTION_DAYS. A process of an
earlier version knows no disabled accounts: there they can log in.
"""

from yoyo import step

COLUMNS = "SELECT name FROM pragma_table_info('users')"
ADD_COLUMN = "ALTER TABLE users ADD COLUMN disabled_at timestamptz"
# all statements on users queue behind one that waits for its lock: behind a backup it fails, and is retried
LIMIT_WAIT = "SET LOCAL lock_timeout = '1s'"
CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS audit_log (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    user_id uuid,
    email text NOT NULL,
    event text NOT NULL,
    detail text NOT NULL,
    address text NOT NULL,
    request_id text NOT NULL
)
"""
CREATE_INDEXES = (
    "CREATE INDEX IF NOT EXISTS audit_log_created_at ON audit_log (created_at, id)",
    "CREATE INDEX IF NOT EXISTS audit_log_email ON audit_log (email, created_at, id)",
    "CREATE INDEX IF NOT EXISTS audit_log_user_id ON audit_log (user_id, created_at, id)",
)


def apply(connection):
    if type(connection).__module__ != "sqlite3":
        connection.execute(LIMIT_WAIT)
        connection.execute(ADD_COLUMN.replace("COLUMN", "COLUMN IF NOT EXISTS"))
    elif ("disabled_at",) not in connection.execute(COLUMNS).fetchall():
        connection.execute(ADD_COLUMN)
    connection.execute(CREATE_TABLE)
    for statement in CREATE_INDEXES:
        connection.execute(statement)


steps = [step(apply)]
