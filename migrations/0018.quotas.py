"""What users scan a day, which is counted where SCANS_PER_DAY or MEGABYTES_PER_DAY is set.

A process of an earlier version counts nothing.
"""

from yoyo import step

from riskscan.database.migrate import distribute

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS daily_usage (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ends_at timestamptz NOT NULL,
    scans integer NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (user_id, ends_at)
)
"""
CREATE_INDEX = "CREATE INDEX IF NOT EXISTS daily_usage_ends_at ON daily_usage (ends_at)"


def apply(connection):
    connection.execute(CREATE_TABLE)
    connection.execute(CREATE_INDEX)
    distribute(connection, "daily_usage")


steps = [step(apply)]
