"""The settings of the operator, read once from the environment and `.env`."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import pwd
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from aiohttp import web
from dotenv import dotenv_values

MASK = "********"
SECRET_FILE = "jwt-secret"  # noqa: S105  # beside the SQLite database
SQLITE = "sqlite:///"
OIDC_PACKAGE = "PyJWT[crypto]>=2.15,<3"  # of the extra oidc; RiskScan itself is not on PyPI
UNIX_SOCKET = "unix:"
OTHER_SETTINGS = (
    "DATA_DIR", "LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY", "LLM_TIMEOUT", "LLM_PARALLEL", "AI_WORKERS",
    "AI_ENCODER",
)  # fmt: skip
# how alike a variable and a setting must be to name it; the environment holds those of other programs too, as
# .env may (TIMEOUT is no misspelled LLM_TIMEOUT)
ALIKE_IN_FILE, ALIKE_IN_ENVIRONMENT = 0.78, 0.85
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, section 5.1
ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]+)?")  # RFC 6454, section 6.1
# the options of libpq that asyncpg reads from a URL; it sends any other as a server setting
POSTGRES_OPTIONS = frozenset(
    {
        "application_name", "host", "port", "user", "password", "dbname", "passfile", "target_session_attrs",
        "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword",
        "ssl_min_protocol_version", "ssl_max_protocol_version",
    }
)  # fmt: skip
# in the URLs of hosting platforms, without a meaning for asyncpg
IGNORED_POSTGRES_OPTIONS = frozenset(
    {
        "channel_binding", "connect_timeout", "gssencmode", "keepalives", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "pgbouncer", "sslnegotiation",
    }
)  # fmt: skip


class SettingsError(Exception):
    """A setting is missing or invalid; the message is one line for the operator."""


class Rate(NamedTuple):
    """A number of attempts per period; 0 attempts means no limit."""

    attempts: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.attempts}/{self.seconds}s" if self.attempts else "off"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return parse


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
    def parse(value: str) -> str:
        if value not in names:
            raise ValueError
        return value

    return parse


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    parts.hostname.encode("idna")  # raises ValueError for an empty or a too long label
    if parts.port == 0:  # the property raises ValueError if the port is not a number
        raise ValueError
    return value.rstrip("/")


def issuer(value: str) -> str:
    """Return the URL as it is: the provider says the same, with its slash at the end if it has one."""
    if value:
        parts = urlsplit(http_url(value))
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError
    return value


def host(value: str) -> str:
    if value.startswith(UNIX_SOCKET) and not value.startswith(f"{UNIX_SOCKET}/"):
        raise ValueError
    return value


def origins(value: str) -> tuple[str, ...]:
    parts = [part.strip().rstrip("/").lower() for part in value.split(",") if part.strip()]
    if not all(ORIGIN.fullmatch(origin) and http_url(origin) for origin in parts):
        raise ValueError
    return tuple(parts)


def networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def rate(value: str) -> Rate:
    if value == "off":
        return Rate(0, 1)
    match = re.fullmatch(r"([1-9][0-9]{0,5})/(second|minute|hour|day)", value)
    if match is None:
        raise ValueError
    return Rate(int(match[1]), {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[match[2]])


def header_name(value: str) -> str:
    if value and not HEADER_NAME.fullmatch(value):
        raise ValueError
    return value


def one_line(value: str) -> str:
    if len(value) > 300 or CONTROL_CHARACTERS.search(value):
        raise ValueError
    return value


def registration(value: str) -> tuple[str, ...] | None:
    """Return the domains of the addresses that may register, as `normalize_email` has them; None is all."""
    if value in ("open", "closed"):
        return None if value == "open" else ()
    return tuple(parse_email(f"x@{part.strip()}")[2:] for part in value.split(",") if part.strip())


def parse_email(value: str) -> str:
    """Return an address in its normal form, in lower case; raise ValueError if its syntax is wrong."""
    # imported here, because it loads slowly, and neither most requests nor most servers need it
    from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email

    SPECIAL_USE_DOMAIN_NAMES.clear()  # accept names of private networks, such as corp.local
    # EmailNotValidError is a ValueError
    address = validate_email(value, check_deliverability=False, globally_deliverable=False)
    if "." not in address.domain or "\x00" in value:
        raise ValueError
    return unicodedata.normalize("NFC", address.normalized.lower())


def show_registration(domains: tuple[str, ...] | None) -> str:
    return "open" if domains is None else comma_separated(domains) or "closed"


def show_megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:g}"


def show_unless_off(number: int) -> str:
    return str(number or "off")


def integer_or_off(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of an integer, or of "off", which is 0."""
    return lambda value: 0 if value == "off" else integer(low, high)(value)


def secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError
    return value


def optional_secret(value: str) -> str:
    return secret(value) if value else ""


def metrics_token(value: str) -> str:
    if value and not re.fullmatch(r"[!-~]{16,}", value):
        raise ValueError
    return value


def database_url(value: str) -> str:
    """Return the URL as `postgresql://…` or `sqlite:///path`; accepts the other spellings in use."""
    scheme, colon, rest = value.partition("://")
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        if not re.fullmatch(r"/[^?#]+", rest) or rest == "/:memory:":
            raise ValueError
        return SQLITE + rest[1:]
    if not colon or scheme not in ("postgres", "postgresql", "postgresql+asyncpg", "postgres+asyncpg"):
        raise ValueError
    parts = urlsplit(f"postgresql://{rest}")
    _ = parts.port  # raises ValueError if it is not a number
    options = [pair for pair in parse_qsl(parts.query) if pair[0] not in IGNORED_POSTGRES_OPTIONS]
    # asyncpg's own spelling of sslmode
    options = [("sslmode" if name == "ssl" else name, setting) for name, setting in options]
    if not {name for name, _ in options} <= POSTGRES_OPTIONS:
        raise ValueError
    options = list({"application_name": "riskscan", **dict(options)}.items())
    if not parts.username and "user" not in dict(options) and "PGUSER" not in os.environ:
        options.append(("user", operating_system_user()))
    # not by urlunsplit, which writes postgresql:/name without a host; libpq does not read + as a space
    return f"postgresql://{parts.netloc}{parts.path or '/'}?{urlencode(options, quote_via=quote)}"


def operating_system_user() -> str:
    """Return the name of the effective user, whom PostgreSQL's peer authentication sees.

    Raises ValueError if the user has no name, as in some containers.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise ValueError from None


def mask(value: str) -> str:
    return MASK if value else ""


def redact_url(url: str) -> str:
    """Return a URL with its passwords masked."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if ":" in login:
        login = f"{login.partition(':')[0]}:{MASK}"
    path = re.sub(r"(?<=password=)[^&]*", MASK, path)
    return f"{scheme}{separator}{login}{at}{host}{slash}{path}"


def comma_separated(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def setting(
    env: str,
    must_be: str,
    parse: Callable[[str], Any],
    default: str | None,
    *,
    show: Callable[[Any], str] = str,
    secret: bool = False,
) -> Any:
    """Return a field of Settings.

    `must_be` completes the sentence of an error, `parse` raises ValueError, `show` formats the value for
    `riskscan check`. The value of a `secret` is in no error and no repr.
    """
    metadata = {"env": env, "must_be": must_be, "parse": parse, "default": default, "show": show}
    metadata["secret"] = secret
    if default is None:
        return dataclasses.field(metadata=metadata, repr=not secret)
    return dataclasses.field(default_factory=lambda: parse(default), metadata=metadata, repr=not secret)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings. Names end with the unit, if any."""

    database_url: str = setting(
        "DATABASE_URL",
        "postgresql://user:password@host/name or sqlite:///path",
        database_url,
        None,
        show=redact_url,
        secret=True,
    )
    jwt_secret: str = setting("JWT_SECRET", "at least 32 characters", secret, None, show=mask, secret=True)
    jwt_secret_previous: str = setting(
        "JWT_SECRET_PREVIOUS", "at least 32 characters", optional_secret, "", show=mask, secret=True
    )
    ai_service_url: str = setting(
        "AI_SERVICE_URL",
        "an http:// or https:// URL",
        http_url,
        None,
        show=lambda url: redact_url(url) or "(embedded)",
        secret=True,
    )
    jwt_algorithm: str = setting(
        "JWT_ALGORITHM", "HS256, HS384 or HS512", one_of("HS256", "HS384", "HS512"), "HS256"
    )
    token_minutes: int = setting(
        "ACCESS_TOKEN_EXPIRE_MINUTES", "an integer from 1 to 525600", integer(1, 525_600), "30"
    )
    cors_origins: tuple[str, ...] = setting(
        "CORS_ORIGINS",
        "origins such as https://app.example.com, separated by commas (* is impossible with credentials)",
        origins,
        "http://localhost:5173,http://localhost:3000",
        show=comma_separated,
    )
    ai_timeout_seconds: float = setting(
        "AI_SERVICE_TIMEOUT", "seconds, more than 0 and at most 3600", seconds, "60", show="{:g}".format
    )
    max_upload_bytes: int = setting(
        "MAX_UPLOAD_MB",
        "megabytes, from 0.001 to 4096",
        megabytes,
        "10",
        show=show_megabytes,
    )
    max_text_bytes: int = setting(
        "MAX_TEXT_MB",
        "megabytes, from 0.001 to 4096",
        megabytes,
        "2",
        show=show_megabytes,
    )
    upload_memory_bytes: int = setting(
        "UPLOAD_MEMORY_MB",
        "megabytes, from 0.001 to 4096",
        megabytes,
        "64",
        show=show_megabytes,
    )
    host: str = setting("HOST", "an address to listen on, or unix:/path of a socket", host, "127.0.0.1")
    port: int = setting("PORT", "an integer from 0 to 65535", integer(0, 65_535), "8000")
    workers: int = setting("WORKERS", "an integer from 1 to 64", integer(1, 64), "1")
    database_pool_size: int = setting("DATABASE_POOL_SIZE", "an integer from 1 to 200", integer(1, 200), "10")
    database_statement_cache: int = setting(
        "DATABASE_STATEMENT_CACHE",
        "an integer from 0 (for pgbouncer) to 10000",
        integer(0, 10_000),
        "100",
    )
    body_timeout_seconds: float = setting(
        "BODY_TIMEOUT", "seconds, more than 0 and at most 3600", seconds, "120", show="{:g}".format
    )
    max_scans_in_flight: int = setting(
        "MAX_SCANS_IN_FLIGHT", "an integer from 1 to 100000", integer(1, 100_000), "1000"
    )
    ai_max_concurrency: int = setting(
        "AI_MAX_CONCURRENCY", "an integer from 1 to 10000", integer(1, 10_000), "64"
    )
    bcrypt_cost: int = setting("BCRYPT_COST", "an integer from 4 to 16", integer(4, 16), "12")
    registration_domains: tuple[str, ...] | None = setting(
        "REGISTRATION",
        "open, closed, or the domains of email addresses, separated by commas",
        registration,
        "open",
        show=show_registration,
    )
    login_limit: Rate = setting("LOGIN_LIMIT", 'a rate such as 10/minute, or "off"', rate, "10/minute")
    register_limit: Rate = setting("REGISTER_LIMIT", 'a rate such as 10/minute, or "off"', rate, "100/minute")
    scan_limit: Rate = setting("SCAN_LIMIT", 'a rate such as 10/minute, or "off"', rate, "600/minute")
    scans_per_day: int = setting(
        "SCANS_PER_DAY",
        'an integer from 1 to 1000000, or "off"',
        integer_or_off(1, 1_000_000),
        "off",
        show=show_unless_off,
    )
    megabytes_per_day: int = setting(
        "MEGABYTES_PER_DAY",
        'an integer from 1 to 1000000, or "off"',
        integer_or_off(1, 1_000_000),
        "off",
        show=show_unless_off,
    )
    scan_retention_days: int = setting(
        "SCAN_RETENTION_DAYS",
        'an integer from 1 to 36500, or "off"',
        integer_or_off(1, 36_500),
        "off",
        show=show_unless_off,
    )
    audit_retention_days: int = setting(
        "AUDIT_RETENTION_DAYS",
        'an integer from 1 to 36500, or "off"',
        integer_or_off(1, 36_500),
        "90",
        show=show_unless_off,
    )
    password_help: str = setting("PASSWORD_HELP", "one line of at most 300 characters", one_line, "")
    trusted_proxies: tuple[Network, ...] = setting(
        "TRUSTED_PROXIES",
        "IP addresses or networks, separated by commas",
        networks,
        "127.0.0.1,::1",
        show=comma_separated,
    )
    trusted_user_header: str = setting(
        "TRUSTED_USER_HEADER", "the name of a header, such as Remote-Email", header_name, ""
    )
    oidc_issuer: str = setting("OIDC_ISSUER", "an https:// URL, without a query", issuer, "")
    oidc_client_id: str = setting("OIDC_CLIENT_ID", "one line of at most 300 characters", one_line, "")
    oidc_client_secret: str = setting(
        "OIDC_CLIENT_SECRET", "one line of at most 300 characters", one_line, "", show=mask, secret=True
    )
    metrics_token: str = setting(
        "METRICS_TOKEN",
        "at least 16 printable ASCII characters without spaces",
        metrics_token,
        "",
        show=mask,
        secret=True,
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
        """Read and validate the settings. Raises SettingsError for the first invalid one.

        Without DATABASE_URL the database is an SQLite file in `data_dir`. With SQLite and without JWT_SECRET
        a secret is generated once and stored beside the database file. An empty `ai_service_url` means the
        embedded AI service.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            text = environ.get(field.metadata["env"], "").strip()
            if text:
                values[field.name] = parse_setting(field, text)
        values.setdefault("database_url", f"{SQLITE}{data_dir / 'riskscan.db'}")
        values.setdefault("ai_service_url", "")
        if is_sqlite(values["database_url"]):
            make_folder(sqlite_path(values["database_url"]).parent)
        if "jwt_secret" not in values:
            if not is_sqlite(values["database_url"]):
                raise SettingsError("JWT_SECRET must be set with PostgreSQL, to at least 32 characters")
            values["jwt_secret"] = load_or_create_secret(sqlite_path(values["database_url"]).parent)
        settings = cls(**values)
        if settings.workers > settings.ai_max_concurrency:
            raise SettingsError("AI_MAX_CONCURRENCY must not be less than WORKERS")
        if 0 < settings.megabytes_per_day * 1024 * 1024 < settings.max_upload_bytes:
            raise SettingsError("MEGABYTES_PER_DAY must not be less than MAX_UPLOAD_MB")
        # not the default: any program on the machine could log in as anybody
        proxies = settings.socket_path or values.get("trusted_proxies")
        if settings.trusted_user_header and not proxies:
            raise SettingsError("TRUSTED_USER_HEADER needs TRUSTED_PROXIES, set to the proxy that sends it")
        if settings.oidc_issuer:
            check_oidc(settings)
        return settings

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket to listen on, None for an address."""
        return self.host.removeprefix(UNIX_SOCKET) if self.host.startswith(UNIX_SOCKET) else None

    @property
    def allows_registration(self) -> bool:
        """Whether people may register with a password.

        Not where a proxy or provider logs them in: whoever registered the email of another would share their
        account.
        """
        return self.registration_domains != () and not self.trusted_user_header and not self.oidc_issuer

    @property
    def text_limit(self) -> int:
        """Return the maximum bytes of a JSON or url-encoded body with a text: no more than MAX_UPLOAD_MB."""
        return min(self.max_text_bytes, self.max_upload_bytes)

    def as_table(self) -> list[tuple[str, str]]:
        """Return each variable with its value as text, secrets masked."""
        return [
            (field.metadata["env"], field.metadata["show"](getattr(self, field.name)))
            for field in dataclasses.fields(self)
        ]


SECRETS = [
    *(field.metadata["env"] for field in dataclasses.fields(Settings) if field.metadata["secret"]),
    "LLM_API_KEY",
]
SETTINGS = web.AppKey("SETTINGS", Settings)


def check_oidc(settings: Settings) -> None:
    """Raise SettingsError unless the settings and the library for OIDC_ISSUER are there."""
    if not (settings.oidc_client_id and settings.oidc_client_secret):
        raise SettingsError("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
    if find_spec("cryptography") is None:
        raise SettingsError(f'OIDC_ISSUER needs the extra oidc: run pip install "{OIDC_PACKAGE}"')


def parse_setting(field: dataclasses.Field[Any], text: str) -> Any:
    try:
        return field.metadata["parse"](text)
    except ValueError:
        value = "" if field.metadata["secret"] else f", not {text!r}"
        raise SettingsError(f"{field.metadata['env']} must be {field.metadata['must_be']}{value}") from None


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of `.env` in a folder, overridden by the environment, with secrets from files.

    Raises SettingsError if a file cannot be read.
    """
    try:
        variables = dotenv_values(folder / ".env")
    except OSError as exc:
        raise SettingsError(f".env cannot be read: {exc}") from exc
    in_file = {name: value for name, value in variables.items() if value is not None}
    return read_secret_files({**in_file, **os.environ})


def read_secret_files(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the content of the file that NAME_FILE names as NAME, for each secret.

    Raises SettingsError if a file cannot be read or is empty, or if both are set.
    """
    read = dict(variables)
    for name in SECRETS:
        path = read.pop(f"{name}_FILE", "")
        if not path:
            continue
        if read.get(name):
            raise SettingsError(f"{name} and {name}_FILE must not both be set")
        try:
            read[name] = Path(path).read_text().strip()
        except (OSError, ValueError) as exc:
            raise SettingsError(f"{name}_FILE cannot be read: {exc}") from None
        if not read[name]:
            raise SettingsError(f"{name}_FILE is empty: {path}")
    return read


def find_misspelled_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environment()` that look like a misspelled setting, each with that setting."""
    known = [*(field.metadata["env"] for field in dataclasses.fields(Settings)), *OTHER_SETTINGS]
    known += [f"{name}_FILE" for name in SECRETS]
    found = {}
    for name in sorted(variables.keys() - known):
        alike = ALIKE_IN_ENVIRONMENT if name in os.environ else ALIKE_IN_FILE
        for match in difflib.get_close_matches(name.upper(), known, 1, alike):
            found[name] = match
    return found


def is_sqlite(url: str) -> bool:
    return url.startswith(SQLITE)


def sqlite_path(url: str) -> Path:
    return Path(url.removeprefix(SQLITE)).absolute()


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as exc:
        raise SettingsError(f"The folder of DATABASE_URL or DATA_DIR cannot be created: {exc}") from None


def load_or_create_secret(folder: Path) -> str:
    """Return the secret stored in `folder` (mode 0600); the first call generates it."""
    path = folder / SECRET_FILE
    try:
        if not path.exists():
            temporary = folder / f".{SECRET_FILE}-{secrets.token_hex(8)}"
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
            try:
                os.link(temporary, path)  # atomic, and the first process wins
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        return secret(path.read_text().strip())
    except (OSError, ValueError) as exc:
        raise SettingsError(f"JWT_SECRET is not set and cannot be stored in {path}: {exc}") from None
