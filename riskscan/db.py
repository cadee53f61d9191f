"""Every statement; rows come back as shapes. Both databases read the same text."""

from __future__ import annotations

import collections
import datetime
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from .filters import ALL_SCANS, Filter
from .pool import Database, ForeignKeyViolation, Row, UniqueViolation
from .shapes import ApiToken, CategoryRisks, MonthRisks, Risk, Scan, ScanSummary, Stats, User
from .words import category_term, index_terms

DATABASE = web.AppKey("DATABASE", Database)


class EmailTaken(Exception):
    """There is an account with this address already."""


class UserDeleted(Exception):
    """The account was deleted meanwhile."""


class Account(msgspec.Struct, frozen=True):
    """A user with what only the server knows of them."""

    user: User
    password_hash: str
    token_version: int


class TokenSubject(NamedTuple):
    """Who asks, as a token says it; a statement that takes a Caller checks that the token still counts."""

    user_id: str
    token_version: int


class ApiTokenRecord(NamedTuple):
    """Whose an API token is, what it may do, and when it was used before."""

    account: Account
    token_id: str
    scopes: list[str]
    last_used_at: datetime.datetime | None


class IdempotencyRecord(NamedTuple):
    """An Idempotency-Key in use: for which input, the id of its scan, if that is kept, and until when."""

    fingerprint: str
    scan_id: str
    completed: bool
    locked_until: datetime.datetime


class ScanPage(NamedTuple):
    """Some scans of `total`; `categories` has a JSON object for each, of how many risks it has of what."""

    total: int
    scans: list[ScanSummary]
    categories: list[str]


class PreviousScan(NamedTuple):
    """An earlier scan of the same bytes, or only of the same file name."""

    scan_id: str
    created_at: datetime.datetime
    same_bytes: bool

    @property
    def match(self) -> str:
        return "same bytes" if self.same_bytes else "same name"


class CursorPosition(NamedTuple):
    """A place in a user's list of scans: the one after which to go on."""

    created_at: datetime.datetime
    scan_id: str


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def to_utc(value: Any) -> datetime.datetime:
    """Return a stored time, aware and in UTC; SQLite answers text."""
    time: datetime.datetime = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo is datetime.UTC else time.astimezone(datetime.UTC)


def to_account(row: Row) -> Account:
    user = User(
        id=str(row["id"]),
        email=row["email"],
        created_at=to_utc(row["created_at"]),
        updated_at=to_utc(row["updated_at"]),
    )
    return Account(user, row["password_hash"], row["token_version"])


ACCOUNT_COLUMNS = "users.id, email, password_hash, users.token_version, users.created_at, updated_at"

INSERT_USER = f"""
INSERT INTO users (id, email, password_hash, created_at, updated_at)
VALUES (:id, :email, :password_hash, :now, :now)
RETURNING {ACCOUNT_COLUMNS}
"""


async def insert_user(db: Database, email: str, password_hash: str) -> Account:
    """Make an account; raise EmailTaken where the address has one."""
    values = {"id": str(uuid.uuid4()), "email": email, "password_hash": password_hash, "now": now()}
    try:
        return to_account(await db.fetch_one(INSERT_USER, values))
    except UniqueViolation:
        raise EmailTaken from None


FIND_ACCOUNT_BY_EMAIL = f"SELECT {ACCOUNT_COLUMNS} FROM users WHERE email = :email"


async def find_account_by_email(db: Database, email: str) -> Account | None:
    row = await db.fetch_one(FIND_ACCOUNT_BY_EMAIL, {"email": email})
    return to_account(row) if row else None


FIND_ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM users WHERE id = :user_id AND token_version = :token_version"


async def find_account(db: Database, caller: TokenSubject) -> Account | None:
    """Return the account that a token speaks for, unless it is gone or has revoked the token."""
    row = await db.fetch_one(FIND_ACCOUNT, caller._asdict())
    return to_account(row) if row else None


UPDATE_PASSWORD = f"""
UPDATE users SET password_hash = :password_hash, token_version = token_version + 1,
    api_token_version = api_token_version + :api_tokens_end, updated_at = :now
WHERE id = :id AND token_version = :token_version
RETURNING {ACCOUNT_COLUMNS}
"""


async def update_password(
    db: Database, account: Account, password_hash: str, *, keep_api_tokens: bool = False
) -> Account | None:
    """Set the password and revoke every token and session; None where another request was first."""
    values = {
        "api_tokens_end": 0 if keep_api_tokens else 1,
        "id": account.user.id,
        "token_version": account.token_version,
        "password_hash": password_hash,
        "now": now(),
    }
    row = await db.fetch_one(UPDATE_PASSWORD, values)
    return to_account(row) if row else None


DELETE_USER = "DELETE FROM users WHERE id = :user_id AND token_version = :token_version RETURNING id"


async def delete_user(db: Database, caller: TokenSubject) -> bool:
    """Delete the account with its scans and sessions; return whether there was one."""
    return await db.fetch_one(DELETE_USER, caller._asdict()) is not None


INSERT_SESSION = """
INSERT INTO sessions (id, user_id, token_version, expires_at)
VALUES (:id, :user_id, :token_version, :expires_at)
"""


async def insert_session(
    db: Database, session_id: str, user_id: str, token_version: int, expires_at: datetime.datetime
) -> None:
    """Keep a session; raise UserGone where the account was deleted."""
    values = {"id": session_id, "user_id": user_id, "token_version": token_version, "expires_at": expires_at}
    try:
        await db.fetch_all(INSERT_SESSION, values)
    except ForeignKeyViolation:
        raise UserDeleted from None


FIND_ACCOUNT_BY_SESSION = f"""
SELECT {ACCOUNT_COLUMNS}, expires_at FROM sessions JOIN users
ON users.id = sessions.user_id AND users.token_version = sessions.token_version
WHERE sessions.id = :id AND expires_at > :now
"""


async def find_account_by_session(db: Database, session_id: str) -> tuple[Account, datetime.datetime] | None:
    """Return whose session it is and when it ends, unless it has ended or was revoked."""
    row = await db.fetch_one(FIND_ACCOUNT_BY_SESSION, {"id": session_id, "now": now()})
    return (to_account(row), to_utc(row["expires_at"])) if row else None


EXTEND_SESSION = "UPDATE sessions SET expires_at = :expires_at WHERE id = :id"


async def extend_session(db: Database, session_id: str, expires_at: datetime.datetime) -> None:
    await db.fetch_all(EXTEND_SESSION, {"id": session_id, "expires_at": expires_at})


DELETE_SESSION = "DELETE FROM sessions WHERE id = :id"


async def delete_session(db: Database, session_id: str) -> None:
    await db.fetch_all(DELETE_SESSION, {"id": session_id})


INSERT_API_TOKEN = """
INSERT INTO api_tokens (id, user_id, digest, name, scopes, version, created_at, expires_at)
SELECT :id, users.id, :digest, :name, :scopes, api_token_version, :created_at, :expires_at FROM users
WHERE users.id = :user_id AND token_version = :token_version AND :most > (
    SELECT count(*) FROM api_tokens WHERE user_id = :user_id AND version = api_token_version
)
RETURNING id
"""


async def insert_api_token(db: Database, account: Account, token: ApiToken, digest: str, most: int) -> bool:
    """Keep an API token, unless the user has `most` already; return whether it is kept."""
    values = {
        "id": token.id,
        "user_id": account.user.id,
        "token_version": account.token_version,
        "digest": digest,
        "name": token.name,
        "scopes": " ".join(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "most": most,
    }
    return await db.fetch_one(INSERT_API_TOKEN, values) is not None


LIST_API_TOKENS = """
SELECT api_tokens.id, name, scopes, api_tokens.created_at, last_used_at, expires_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE user_id = :user_id ORDER BY api_tokens.created_at DESC, api_tokens.id DESC
"""


async def list_api_tokens(db: Database, user_id: str) -> list[ApiToken]:
    """Return the user's API tokens, newest first; those that a new password has ended are gone."""
    return [
        ApiToken(
            id=str(row["id"]),
            name=row["name"],
            scopes=row["scopes"].split(),
            created_at=to_utc(row["created_at"]),
            last_used_at=to_utc(row["last_used_at"]) if row["last_used_at"] else None,
            expires_at=to_utc(row["expires_at"]) if row["expires_at"] else None,
        )
        for row in await db.fetch_all(LIST_API_TOKENS, {"user_id": user_id})
    ]


FIND_ACCOUNT_BY_API_TOKEN = f"""
SELECT {ACCOUNT_COLUMNS}, api_tokens.id AS token_id, scopes, last_used_at FROM api_tokens
JOIN users ON users.id = user_id AND api_token_version = version
WHERE digest = :digest AND (expires_at IS NULL OR expires_at > :now)
"""


async def find_account_by_api_token(db: Database, digest: str) -> ApiTokenRecord | None:
    """Return whose API token has this digest, unless it has ended or was revoked."""
    row = await db.fetch_one(FIND_ACCOUNT_BY_API_TOKEN, {"digest": digest, "now": now()})
    if row is None:
        return None
    used = to_utc(row["last_used_at"]) if row["last_used_at"] else None
    return ApiTokenRecord(to_account(row), str(row["token_id"]), row["scopes"].split(), used)


RECORD_API_TOKEN_USE = "UPDATE api_tokens SET last_used_at = :now WHERE id = :id"


async def record_api_token_use(db: Database, token_id: str) -> None:
    await db.fetch_all(RECORD_API_TOKEN_USE, {"id": token_id, "now": now()})


DELETE_API_TOKEN = "DELETE FROM api_tokens WHERE id = :id AND user_id = :user_id RETURNING id"


async def delete_api_token(db: Database, user_id: str, token_id: str) -> bool:
    """Delete one of the user's own API tokens; return whether there was one."""
    return await db.fetch_one(DELETE_API_TOKEN, {"id": token_id, "user_id": user_id}) is not None


# the user's last scan before this one that is like it
PREVIOUS_SCAN = """
SELECT {columns} FROM scans AS earlier
WHERE user_id = :user_id AND {like} AND (created_at, id) < (:created_at, :id)
ORDER BY created_at DESC, id DESC LIMIT 1
"""

INSERT_SCAN = f"""
INSERT INTO scans (id, user_id, filename, data, digest, risk_count, categories, words, source, created_at)
VALUES (:id, :user_id, :filename, :data, :digest, :risk_count, :categories, :words, :source, :created_at)
RETURNING ({PREVIOUS_SCAN.format(columns="id", like="filename = :filename")}) AS same_name,
    ({PREVIOUS_SCAN.format(columns="id", like="digest = :digest")}) AS same_bytes
"""


async def insert_scan(
    db: Database, user_id: str, scan: Scan, risks: Sequence[Risk], digest: str | None = None
) -> dict[str, str]:
    """Keep a scan and its risks; return what earlier ones are like it, `same bytes` or `same name`, by id.

    Raises UserGone where the account was deleted while the AI service worked.
    """
    values = {
        "id": scan.scan_id,
        "user_id": user_id,
        "filename": scan.filename,
        "data": bytes(scan.data).decode(),
        "risk_count": scan.risk_count,
        "categories": msgspec.json.encode(collections.Counter(risk.category for risk in risks)).decode(),
        "words": index_terms(scan.filename, risks),
        "digest": digest,
        "source": scan.source,
        "created_at": scan.created_at,
    }
    try:
        row = await db.fetch_one(INSERT_SCAN, values)
    except UniqueViolation:  # kept by an earlier try whose answer was lost
        return {}
    except ForeignKeyViolation:
        raise UserDeleted from None
    assert row is not None  # RETURNING answers a row for an insert
    likes = ("same name", row["same_name"]), ("same bytes", row["same_bytes"])
    return {str(earlier_id): like for like, earlier_id in likes if earlier_id is not None}


# the same input gets the same id until its scan is kept
LOCK_KEY = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, claim, kept, held_until)
VALUES (:user_id, :key, :fingerprint, :claim, FALSE, :held_until)
ON CONFLICT (user_id, key) DO UPDATE SET
    claim = CASE
        WHEN idempotency_keys.kept OR idempotency_keys.fingerprint <> excluded.fingerprint THEN excluded.claim
        ELSE idempotency_keys.claim
    END,
    fingerprint = excluded.fingerprint, kept = FALSE, held_until = excluded.held_until
WHERE idempotency_keys.held_until <= :now
RETURNING claim
"""


async def lock_key(
    db: Database, user_id: str, key: str, fingerprint: str, claim: str, until: datetime.datetime
) -> str | None:
    """Hold the user's key for an input; return the id that its scan is to have, None where the key is held.

    Raises UserGone where the account was deleted.
    """
    values = {"user_id": user_id, "key": key, "fingerprint": fingerprint, "claim": claim}
    try:
        row = await db.fetch_one(LOCK_KEY, {**values, "held_until": until, "now": now()})
    except ForeignKeyViolation:
        raise UserDeleted from None
    return str(row["claim"]) if row else None


FIND_KEY = """
SELECT fingerprint, claim, kept, held_until FROM idempotency_keys WHERE user_id = :user_id AND key = :key
"""


async def find_key(db: Database, user_id: str, key: str) -> IdempotencyRecord | None:
    row = await db.fetch_one(FIND_KEY, {"user_id": user_id, "key": key})
    if row is None:
        return None
    return IdempotencyRecord(
        row["fingerprint"], str(row["claim"]), bool(row["kept"]), to_utc(row["held_until"])
    )


FINISH_KEY = """
UPDATE idempotency_keys SET kept = :kept, held_until = :until
WHERE user_id = :user_id AND key = :key AND held_until = :lease
"""


async def finish_key(
    db: Database,
    user_id: str,
    key: str,
    lease: datetime.datetime,
    *,
    kept: bool,
    until: datetime.datetime,
) -> None:
    """Say what came of a key that was held until `lease`; one that another has taken over stays theirs."""
    values = {"user_id": user_id, "key": key, "lease": lease, "kept": kept, "until": until}
    await db.fetch_all(FINISH_KEY, values)


FIND_SCAN = """
SELECT scans.id, filename, data, source, risk_count, scans.created_at FROM scans
JOIN users ON users.id = scans.user_id AND token_version = :token_version
WHERE scans.id = :id AND user_id = :user_id
"""


async def find_scan(db: Database, caller: TokenSubject, scan_id: str) -> Scan | None:
    """Return one of the caller's own scans; None where there is none, or where the caller is gone."""
    row = await db.fetch_one(FIND_SCAN, {"id": scan_id, **caller._asdict()})
    return to_scan(row) if row else None


def to_scan(row: Row) -> Scan:
    created_at = to_utc(row["created_at"])
    return Scan(
        scan_id=str(row["id"]),
        filename=row["filename"],
        data=msgspec.Raw(row["data"].encode()),
        source=row["source"],
        risk_count=row["risk_count"],
        created_at=created_at,
        timestamp=created_at,
    )


# IS TRUE keeps PostgreSQL from the index scans_words, which holds everyone's; it reads the user's own scans
# then, as SQLite does
HAS_WORDS = "words @@ CAST(:words AS tsquery)"
HAS_WORDS_OF_FEW = f"({HAS_WORDS}) IS TRUE"
HAS_CATEGORY = "(words @@ CAST(:category AS tsquery)) IS TRUE"
HAS_WORDS_SQLITE = (
    "NOT EXISTS (SELECT 1 FROM json_each(:words) AS sought WHERE instr(' ' || words, sought.value) = 0)"
)
HAS_CATEGORY_SQLITE = "instr(' ' || words || ' ', :category) > 0"


MANY = 20_000  # scans of a user; fewer are sooner read through than the index of everyone's words

HAS_MANY = "SELECT scan_count > :many AS many FROM users WHERE id = :user_id"


async def has_many(db: Database, caller: TokenSubject, chosen: Filter) -> bool:
    """Tell whether words are to be looked for by their index."""
    if db.sqlite or not chosen.words:
        return False
    row = await db.fetch_one(HAS_MANY, {"user_id": caller.user_id, "many": MANY})
    return bool(row and row["many"])


def condition_of(db: Database, chosen: Filter, many: bool) -> tuple[str, dict[str, Any]]:
    """Return the condition on `scans` that a filter is, TRUE where nothing is chosen, and its values.

    `many` looks for words by their index.
    """
    conditions: dict[str, Any] = {}
    if chosen.words and db.sqlite:
        conditions[HAS_WORDS_SQLITE] = "words", msgspec.json.encode([f" {w}" for w in chosen.words]).decode()
    elif chosen.words:
        conditions[HAS_WORDS if many else HAS_WORDS_OF_FEW] = (
            "words",
            " & ".join(f"'{word}':*" for word in chosen.words),
        )
    if chosen.category and db.sqlite:
        conditions[HAS_CATEGORY_SQLITE] = "category", f" {chosen.category} "
    elif chosen.category:
        conditions[HAS_CATEGORY] = "category", f"'{chosen.category}'"
    if chosen.source:
        conditions["source = :source"] = "source", chosen.source
    if chosen.since:
        conditions["created_at >= :since"] = "since", chosen.since
    if chosen.until:
        conditions["created_at < :until"] = "until", chosen.until
    return " AND ".join(conditions) or "TRUE", dict(conditions.values())


FIND_PREVIOUS_SCANS = f"""
SELECT 1 AS same_bytes, by_digest.* FROM ({
    PREVIOUS_SCAN.format(
        columns="id, created_at",
        like="digest = (SELECT digest FROM scans WHERE id = :id AND user_id = :user_id)",
    )
}) AS by_digest
UNION ALL
SELECT 0 AS same_bytes, by_name.* FROM ({
    PREVIOUS_SCAN.format(columns="id, created_at", like="filename = :filename")
}) AS by_name
"""


async def find_previous_scans(db: Database, user_id: str, scan: Scan) -> list[PreviousScan]:
    """Return the user's last scan before this one of the same bytes, and that of the same file name."""
    values = {
        "id": scan.scan_id,
        "user_id": user_id,
        "filename": scan.filename,
        "created_at": scan.created_at,
    }
    rows = await db.fetch_all(FIND_PREVIOUS_SCANS, values)
    found: dict[str, PreviousScan] = {}
    for row in sorted(rows, key=lambda row: row["same_bytes"]):  # which counts for more
        found[str(row["id"])] = PreviousScan(
            str(row["id"]), to_utc(row["created_at"]), bool(row["same_bytes"])
        )
    return list(found.values())


# the user's row comes first, so that a user without scans is told from one who is gone
PAGE = """
SELECT {total} AS scan_count, page.* FROM users LEFT JOIN ({page}) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC
"""
SUMMARY = "scans.id, filename, source, risk_count, categories, scans.created_at"
OWN = "FROM scans WHERE user_id = :user_id"
NEWEST_FIRST = "ORDER BY created_at DESC, id DESC LIMIT :limit"
LISTED = f"""
SELECT {SUMMARY} FROM ({{ids}}) AS listed JOIN scans ON scans.id = listed.id AND user_id = :user_id
"""
FIRST_PAGE = PAGE.format(total="scan_count", page=f"SELECT {SUMMARY} {OWN} {NEWEST_FIRST}")
PAGE_AFTER = PAGE.format(
    total="scan_count",
    page=f"SELECT {SUMMARY} {OWN} AND (created_at, id) < (:created_at, :id) {NEWEST_FIRST}",
)
# what is passed over is read from the index alone, where it was vacuumed
LATER_PAGE = PAGE.format(
    total="scan_count", page=LISTED.format(ids=f"SELECT id {OWN} {NEWEST_FIRST} OFFSET :offset")
)

# every match is counted, and so they are looked for once
CHOSEN_PAGE = f"WITH matches AS MATERIALIZED (SELECT id, created_at {OWN} AND {{chosen}})" + PAGE.format(
    total="(SELECT count(*) FROM matches)",
    page=LISTED.format(ids=f"SELECT id FROM matches {{after}} {NEWEST_FIRST} {{offset}}"),
)


async def list_scans(
    db: Database,
    caller: TokenSubject,
    limit: int,
    offset: int = 0,
    after: CursorPosition | None = None,
    chosen: Filter = ALL_SCANS,
) -> ScanPage | None:
    """Return how many scans the caller has, and some of them, newest first; None where the caller is gone.

    They start past `offset` scans, or `after` a position. Only those count that meet `chosen`.
    """
    values = {"limit": limit, **caller._asdict()}
    if after is None:
        values |= {"offset": offset}
        sql, start = LATER_PAGE if offset else FIRST_PAGE, {"after": "", "offset": "OFFSET :offset"}
    else:
        values |= {"created_at": after.created_at, "id": after.scan_id}
        sql, start = PAGE_AFTER, {"after": "WHERE (created_at, id) < (:created_at, :id)", "offset": ""}
    if chosen:
        condition, sought = condition_of(db, chosen, await has_many(db, caller, chosen))
        values |= sought
        sql = CHOSEN_PAGE.format(chosen=condition, **start)
    rows = await db.fetch_all(sql, values, custom_plan=bool(chosen))
    if not rows:
        return None
    total = rows[0]["scan_count"]
    if rows[0]["id"] is None:
        return ScanPage(total, [], [])
    scans = [
        ScanSummary(
            str(row["id"]), row["filename"], row["source"], row["risk_count"], to_utc(row["created_at"])
        )
        for row in rows
    ]
    return ScanPage(total, scans, [row["categories"] for row in rows])


# the rows without a category are of the scans themselves
STATS = """
WITH matches AS MATERIALIZED (
    SELECT {month} AS month, created_at, categories FROM scans WHERE user_id = :user_id AND {chosen}
    AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND token_version = :token_version)
)
SELECT month, NULL AS category, count(*) AS number, max(created_at) AS newest FROM matches GROUP BY month
UNION ALL
SELECT month, key, sum(CAST(value AS integer)), NULL FROM matches, {categories} GROUP BY month, key
"""
STATS_SQLITE = {"month": "substr(created_at, 1, 7)", "categories": "json_each(categories)"}
STATS_POSTGRESQL = {
    "month": "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM')",
    "categories": "json_each_text(CAST(categories AS json))",
}


async def compute_stats(db: Database, caller: TokenSubject, chosen: Filter = ALL_SCANS) -> Stats:
    """Return what the scans that meet `chosen` come to: nothing, too, where the caller is gone.

    Of a category that is chosen the risks of that category alone are counted.
    """
    condition, values = condition_of(db, chosen, await has_many(db, caller, chosen))
    sql = STATS.format(chosen=condition, **(STATS_SQLITE if db.sqlite else STATS_POSTGRESQL))
    rows = await db.fetch_all(sql, {**values, **caller._asdict()}, custom_plan=bool(chosen))
    scans = [row for row in rows if row["category"] is None]
    months: dict[str, dict[str, int]] = {month: {} for month in sorted(row["month"] for row in scans)}
    for row in sorted((row for row in rows if row["category"] is not None), key=lambda row: row["category"]):
        if chosen.category in ("", category_term(row["category"])):
            months[row["month"]][row["category"]] = row["number"]
    counts = sum(map(collections.Counter, months.values()), collections.Counter())
    return Stats(
        scans=sum(row["number"] for row in scans),
        risks=counts.total(),
        newest=max((to_utc(row["newest"]) for row in scans), default=None),
        by_category=[CategoryRisks(category, risks) for category, risks in counts.most_common()],
        over_time=[MonthRisks(month, risks) for month, risks in months.items()],
    )


DELETE_SCAN = "DELETE FROM scans WHERE id = :id AND user_id = :user_id RETURNING id"


async def delete_scan(db: Database, user_id: str, scan_id: str) -> bool:
    """Delete one of the user's own scans; return whether there was one."""
    return await db.fetch_one(DELETE_SCAN, {"id": scan_id, "user_id": user_id}) is not None


# the condition on risk_count, which always holds, is that of the index
DELETE_SCANS_BEFORE = """
DELETE FROM scans WHERE (user_id, id) IN (
    SELECT user_id, id FROM scans WHERE created_at < :before AND risk_count >= 0 ORDER BY created_at LIMIT 500
)
RETURNING id
"""


async def delete_scans_before(db: Database, before: datetime.datetime) -> int:
    """Delete some of the scans that are older than this; return how many, 0 when there are none left."""
    return len(await db.fetch_all(DELETE_SCANS_BEFORE, {"before": before}))


# a window that has ended starts again
INCREMENT_ATTEMPTS = """
INSERT INTO attempts (name, tries, expires_at) VALUES (:name, 1, :expires_at)
ON CONFLICT (name) DO UPDATE SET
    tries = CASE WHEN attempts.expires_at <= :now THEN 1 ELSE attempts.tries + 1 END,
    expires_at = CASE WHEN attempts.expires_at <= :now THEN excluded.expires_at ELSE attempts.expires_at END
RETURNING tries, expires_at
"""


async def increment_attempts(db: Database, name: str, seconds: int) -> tuple[int, datetime.datetime]:
    """Count one more try under this name; return how many there were in this window, and when it ends."""
    moment = now()
    values = {"name": name, "now": moment, "expires_at": moment + datetime.timedelta(seconds=seconds)}
    row = await db.fetch_one(INCREMENT_ATTEMPTS, values)
    assert row is not None  # RETURNING answers a row for an insert and for an update
    return row["tries"], to_utc(row["expires_at"])


DECREMENT_ATTEMPTS = """
UPDATE attempts SET tries = tries - 1 WHERE name = :name AND tries > 0 RETURNING tries, expires_at
"""


async def decrement_attempts(db: Database, name: str) -> tuple[int, datetime.datetime] | None:
    """Count one try less under this name; return how many there are now, and when the window ends."""
    row = await db.fetch_one(DECREMENT_ATTEMPTS, {"name": name})
    return (row["tries"], to_utc(row["expires_at"])) if row else None


DELETE_EXPIRED = (
    "DELETE FROM sessions WHERE expires_at <= :now",
    "DELETE FROM attempts WHERE expires_at <= :now",
    # not at once: whoever is late with a scan must not meet a key that has forgotten its id
    "DELETE FROM idempotency_keys WHERE held_until <= :yesterday",
)


async def delete_expired(db: Database) -> None:
    """Drop the sessions, counters and keys whose time is over."""
    moment = now()
    for statement in DELETE_EXPIRED:
        await db.fetch_all(statement, {"now": moment, "yesterday": moment - datetime.timedelta(days=1)})


async def ping(db: Database) -> bool:
    """Tell whether the database answers."""
    return bool(await db.fetch_one("SELECT 1 AS up", {}))
