"""Find whose an email, session, API token or link is before anything else of a user is read.

Where the tables are distributed by user, deploy/citus.sql makes tables of these views. Expired links
are found by an index.
"""

from yoyo import step

VIEWS = {
    "emails": "SELECT email, id AS user_id FROM users",
    # of sessions, API tokens and links that earlier versions made: later ones begin with the user's ID
    "token_owners": """
        SELECT id AS digest, user_id FROM sessions
        UNION ALL SELECT digest, user_id FROM api_tokens
        UNION ALL SELECT digest, user_id FROM shares
    """,
}


def apply(connection):
    is_sqlite = type(connection).__module__ == "sqlite3"
    create = "CREATE VIEW IF NOT EXISTS" if is_sqlite else "CREATE OR REPLACE VIEW"
    for name, query in VIEWS.items():
        connection.execute(f"{create} {name} AS {query}")
    connection.execute("CREATE INDEX IF NOT EXISTS shares_expires_at ON shares (expires_at)")


steps = [step(apply)]
