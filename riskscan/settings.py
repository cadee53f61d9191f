"""Settings: what the operator can set, read once from the environment and `.env`."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web
from dotenv import dotenv_values

MASK = "********"
SQLITE = "sqlite:///"
ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]+)?")  # RFC 6454, section 6.1
# libpq's options that asyncpg reads from a URL; it would take any other for a server setting
POSTGRES_OPTIONS = frozenset(
    {
        "application_name", "host", "port", "user", "password", "dbname", "passfile", "target_session_attrs",
        "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword",
        "ssl_min_protocol_version", "ssl_max_protocol_version",
    }
)  # fmt: skip
# handed out by hosting platforms, and of no meaning to asyncpg
IGNORED_POSTGRES_OPTIONS = frozenset(
    {
        "channel_binding", "connect_timeout", "gssencmode", "keepalives", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "pgbouncer", "sslnegotiation",
    }
)  # fmt: skip


class SettingsError(Exception):
    """A setting that cannot be used; its text is the operator's one line."""


class Rate(NamedTuple):
    """So many tries in so many seconds; 0 tries means no limit."""

    attempts: int
    seconds: int


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


def megabytes(value: str) -> int:
    number = float(value)
    if not 0.001 <= number <= 4096:
        raise ValueError
    return int(number * 1024 * 1024)


def seconds(value: str) -> float:
    number = float(value)
    if not 0 < number <= 3600:
        raise ValueError
    return number


def one_of(*names: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in names:
            raise ValueError
        return value

    return read


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    parts.hostname.encode("idna")  # raises a ValueError for a label that is empty or too long
    if parts.port == 0:  # raises ValueError itself where it is no port at all
        raise ValueError
    return value.rstrip("/")


def origins(value: str) -> tuple[str, ...]:
    found = [part.strip().rstrip("/").lower() for part in value.split(",") if part.strip()]
    if not all(ORIGIN.fullmatch(origin) and http_url(origin) for origin in found):
        raise ValueError
    return tuple(found)


def networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def rate(value: str) -> Rate:
    if value == "off":
        return Rate(0, 1)
    match = re.fullmatch(r"([1-9][0-9]{0,5})/(second|minute|hour|day)", value)
    if match is None:
        raise ValueError
    return Rate(int(match[1]), {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[match[2]])


def days(value: str) -> int:
    return 0 if value == "off" else integer(1, 36_500)(value)


def secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError
    return value


def metrics_token(value: str) -> str:
    if value and not re.fullmatch(r"[!-~]{16,}", value):
        raise ValueError
    return value


def database_url(value: str) -> str:
    """Return the URL as `postgresql://…` or `sqlite:///path`, in every form that platforms hand out."""
    scheme, colon, rest = value.partition("://")
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        if not re.fullmatch(r"/[^?#]+", rest) or rest == "/:memory:":
            raise ValueError
        return SQLITE + rest[1:]
    if not colon or scheme not in ("postgres", "postgresql", "postgresql+asyncpg", "postgres+asyncpg"):
        raise ValueError
    parts = urlsplit(f"postgresql://{rest}")
    _ = parts.port
    options = [pair for pair in parse_qsl(parts.query) if pair[0] not in IGNORED_POSTGRES_OPTIONS]
    # asyncpg's own spelling of sslmode
    options = [("sslmode" if name == "ssl" else name, setting) for name, setting in options]
    if not {name for name, _ in options} <= POSTGRES_OPTIONS:
        raise ValueError
    options = list({"application_name": "riskscan", **dict(options)}.items())
    return urlunsplit(("postgresql", parts.netloc, parts.path or "/", urlencode(options), ""))


def setting(
    env: str, takes: str, read: Callable[[str], Any], default: str | None, *, secret: bool = False
) -> Any:
    """A field of Settings: its variable, what that takes in words, its reader and default text."""
    metadata = {"env": env, "takes": takes, "read": read, "default": default, "secret": secret}
    if default is None:
        return dataclasses.field(metadata=metadata, repr=not secret)
    return dataclasses.field(default_factory=lambda: read(default), metadata=metadata, repr=not secret)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set; the units are in the names (API.md, Environment)."""

    database_url: str = setting(
        "DATABASE_URL",
        "postgresql://user:password@host/name or sqlite:///path",
        database_url,
        None,
        secret=True,
    )
    jwt_secret: str = setting("JWT_SECRET", "32 characters or more", secret, None, secret=True)
    ai_service_url: str = setting(
        "AI_SERVICE_URL", "an http:// or https:// address", http_url, None, secret=True
    )
    jwt_algorithm: str = setting(
        "JWT_ALGORITHM", "HS256, HS384 or HS512", one_of("HS256", "HS384", "HS512"), "HS256"
    )
    token_minutes: int = setting(
        "ACCESS_TOKEN_EXPIRE_MINUTES", "a whole number of minutes from 1 to 525600", integer(1, 525_600), "30"
    )
    cors_origins: tuple[str, ...] = setting(
        "CORS_ORIGINS",
        "origins such as https://app.example.com, separated by commas (* cannot go with credentials)",
        origins,
        "http://localhost:5173,http://localhost:3000",
    )
    ai_timeout_seconds: float = setting(
        "AI_SERVICE_TIMEOUT", "a number of seconds, more than 0 and at most 3600", seconds, "60"
    )
    max_upload_bytes: int = setting(
        "MAX_UPLOAD_MB", "a number of megabytes from 0.001 to 4096", megabytes, "10"
    )
    host: str = setting("HOST", "an address to listen on", str, "127.0.0.1")
    port: int = setting("PORT", "a whole number from 0 to 65535", integer(0, 65_535), "8000")
    workers: int = setting("WORKERS", "a whole number from 1 to 64", integer(1, 64), "1")
    database_pool_size: int = setting(
        "DATABASE_POOL_SIZE", "a whole number of connections from 1 to 200", integer(1, 200), "10"
    )
    database_statement_cache: int = setting(
        "DATABASE_STATEMENT_CACHE",
        "a whole number of prepared statements from 0 (for pgbouncer) to 10000",
        integer(0, 10_000),
        "100",
    )
    body_timeout_seconds: float = setting(
        "BODY_TIMEOUT", "a number of seconds, more than 0 and at most 3600", seconds, "120"
    )
    max_scans_in_flight: int = setting(
        "MAX_SCANS_IN_FLIGHT", "a whole number from 1 to 100000", integer(1, 100_000), "1000"
    )
    ai_max_concurrency: int = setting(
        "AI_MAX_CONCURRENCY", "a whole number of calls from 1 to 10000", integer(1, 10_000), "64"
    )
    bcrypt_cost: int = setting("BCRYPT_COST", "a whole number from 4 to 16", integer(4, 16), "12")
    login_limit: Rate = setting("LOGIN_LIMIT", 'a rate such as 10/minute, or "off"', rate, "10/minute")
    register_limit: Rate = setting("REGISTER_LIMIT", 'a rate such as 10/minute, or "off"', rate, "100/minute")
    scan_limit: Rate = setting("SCAN_LIMIT", 'a rate such as 10/minute, or "off"', rate, "600/minute")
    scan_retention_days: int = setting(
        "SCAN_RETENTION_DAYS", 'a whole number of days from 1 to 36500, or "off"', days, "off"
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "TRUSTED_PROXIES", "addresses or networks, separated by commas", networks, "127.0.0.1,::1"
    )
    metrics_token: str = setting(
        "METRICS_TOKEN", "16 characters or more that a header can hold", metrics_token, "", secret=True
    )
    log_level: str = setting(
        "LOG_LEVEL",
        "debug, info, warning or error",
        lambda value: one_of("debug", "info", "warning", "error")(value.lower()),
        "info",
    )
    log_format: str = setting("LOG_FORMAT", "console or json", one_of("console", "json"), "console")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], data_dir: Path) -> Settings:
        """Read the settings; raise SettingsError for the first that cannot be used.

        Where DATABASE_URL is not set, SQLite keeps its file in `data_dir`. Where JWT_SECRET is not set
        and the database is SQLite, a secret is made once and kept beside the database file.
        AI_SERVICE_URL stays empty where it is not set: the embedded AI service is meant.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            given = environ.get(field.metadata["env"], "").strip()
            if given:
                values[field.name] = read_setting(field, given)
        values.setdefault("database_url", f"{SQLITE}{data_dir / 'riskscan.db'}")
        values.setdefault("ai_service_url", "")
        if is_sqlite(values["database_url"]):
            make_folder(sqlite_path(values["database_url"]).parent)
        if "jwt_secret" not in values:
            if not is_sqlite(values["database_url"]):
                raise SettingsError("JWT_SECRET must be set with PostgreSQL: it takes 32 characters or more")
            values["jwt_secret"] = load_or_create_secret(sqlite_path(values["database_url"]).parent)
        settings = cls(**values)
        if settings.workers > settings.ai_max_concurrency:
            raise SettingsError("AI_MAX_CONCURRENCY takes a call at least for each of the WORKERS")
        return settings

    def as_table(self) -> list[tuple[str, str]]:
        """Return each variable with its value as text, secrets masked."""
        return [
            (field.metadata["env"], display_value(field, getattr(self, field.name)))
            for field in dataclasses.fields(self)
        ]


SETTINGS = web.AppKey("SETTINGS", Settings)


def read_setting(field: dataclasses.Field[Any], given: str) -> Any:
    try:
        return field.metadata["read"](given)
    except ValueError:
        named = "" if field.metadata["secret"] else f", not {given!r}"
        raise SettingsError(f"{field.metadata['env']} takes {field.metadata['takes']}{named}") from None


def display_value(field: dataclasses.Field[Any], value: Any) -> str:
    if field.name == "ai_service_url" and not value:
        return "(embedded)"
    if field.name in ("database_url", "ai_service_url"):
        return redact_url(value)
    if field.metadata["secret"]:
        return MASK if value else ""
    if field.name == "max_upload_bytes":
        return f"{value / 1024 / 1024:g}"
    if field.name == "scan_retention_days" and not value:
        return "off"
    if isinstance(value, Rate):
        return f"{value.attempts}/{value.seconds}s" if value.attempts else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def redact_url(url: str) -> str:
    """Return a URL without the passwords in it."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if ":" in login:
        login = f"{login.partition(':')[0]}:{MASK}"
    path = re.sub(r"(?<=password=)[^&]*", MASK, path)
    return f"{scheme}{separator}{login}{at}{host}{slash}{path}"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment over the `.env` file of `folder`; raise SettingsError if that cannot be read."""
    try:
        found = dotenv_values(folder / ".env")
    except OSError as exc:
        raise SettingsError(f".env cannot be read: {exc}") from exc
    return {**{name: value for name, value in found.items() if value is not None}, **os.environ}


def is_sqlite(url: str) -> bool:
    return url.startswith(SQLITE)


def sqlite_path(url: str) -> Path:
    return Path(url.removeprefix(SQLITE)).absolute()


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as exc:
        raise SettingsError(f"DATABASE_URL or DATA_DIR names a folder that cannot be made: {exc}") from None


def load_or_create_secret(folder: Path) -> str:
    """Return the secret kept in `folder`, made on the first call (mode 0600)."""
    path = folder / "jwt-secret"
    try:
        if not path.exists():
            draft = folder / f".jwt-secret-{secrets.token_hex(8)}"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
            try:
                os.link(draft, path)  # whole or not at all, and the first process wins
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return secret(path.read_text().strip())
    except (OSError, ValueError) as exc:
        raise SettingsError(f"JWT_SECRET is not set and cannot be kept in {path}: {exc}") from None
