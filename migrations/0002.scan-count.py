"""Maintain users.scan_count, the total of a list, by triggers on scans."""

from yoyo import step

SQLITE = """
CREATE TRIGGER IF NOT EXISTS scans_inserted AFTER INSERT ON scans
BEGIN
    UPDATE users SET scan_count = scan_count + 1 WHERE id = NEW.user_id;
END;
CREATE TRIGGER IF NOT EXISTS scans_deleted AFTER DELETE ON scans
BEGIN
    UPDATE users SET scan_count = scan_count - 1 WHERE id = OLD.user_id;
END;
"""

# per statement, so that a bulk change updates each user once
POSTGRESQL = """
CREATE OR REPLACE FUNCTION count_scans() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET scan_count = scan_count + changed.scans * TG_ARGV[0]::integer
    FROM (SELECT user_id, count(*) AS scans FROM changed_scans GROUP BY user_id) changed
    WHERE users.id = changed.user_id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER scans_inserted AFTER INSERT ON scans
    REFERENCING NEW TABLE AS changed_scans FOR EACH STATEMENT EXECUTE FUNCTION count_scans('1');
CREATE OR REPLACE TRIGGER scans_deleted AFTER DELETE ON scans
    REFERENCING OLD TABLE AS changed_scans FOR EACH STATEMENT EXECUTE FUNCTION count_scans('-1');
"""


def apply(connection):
    if type(connection).__module__ == "sqlite3":
        for statement in SQLITE.split("END;")[:-1]:
            connection.execute(f"{statement} END")
    else:
        connection.execute(POSTGRESQL)


steps = [step(apply)]
