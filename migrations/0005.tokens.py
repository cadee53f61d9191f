"""API tokens; digest is the SHA-256 of the token, scopes are separated by spaces.

A token is valid while its version equals its user's api_token_version, so that one statement sets a password
and revokes all tokens, or none.
"""

from yoyo import step

COLUMNS = "SELECT name FROM pragma_table_info('users')"
ADD_COLUMN = "ALTER TABLE users ADD COLUMN api_token_version integer NOT NULL DEFAULT 0"
CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS api_tokens (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest text NOT NULL UNIQUE,
    name text NOT NULL,
    scopes text NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at timestamptz
)
"""
CREATE_INDEX = "CREATE INDEX IF NOT EXISTS api_tokens_user_id ON api_tokens (user_id)"


def apply(connection):
    if type(connection).__module__ != "sqlite3":
        connection.execute(ADD_COLUMN.replace("COLUMN", "COLUMN IF NOT EXISTS"))
    elif ("api_token_version",) not in connection.execute(COLUMNS).fetchall():
        connection.execute(ADD_COLUMN)
    connection.execute(CREATE_TABLE)
    connection.execute(CREATE_INDEX)


steps = [step(apply)]
