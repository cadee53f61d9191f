"""Settings: accepted forms, refused values, and the stored secret."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from riskscan.settings import (
    OTHER_SETTINGS,
    SECRETS,
    Rate,
    Settings,
    SettingsError,
    database_url,
    environment,
    find_misspelled_settings,
    redact_url,
)

ROOT = Path(__file__).parent.parent
SETTINGS_MD = (ROOT / "docs/settings.md").read_text()
OS_USER = pwd.getpwuid(os.geteuid()).pw_name
NAMES = [field.metadata["env"] for field in dataclasses.fields(Settings)]


def load_settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings.from_env(environ, tmp_path)


def test_default_is_sqlite_with_a_stored_secret(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "data")
    assert settings.database_url == f"sqlite:///{tmp_path / 'data' / 'riskscan.db'}"
    assert settings.ai_service_url == ""
    assert (settings.host, settings.port, settings.workers, settings.token_minutes) == (
        "127.0.0.1",
        8000,
        1,
        30,
    )
    assert settings.max_upload_bytes == 10 * 1024 * 1024
    assert settings.text_limit == 2 * 1024 * 1024
    assert settings.bcrypt_cost == 12
    assert settings.cors_origins == ("http://localhost:5173", "http://localhost:3000")
    secret = tmp_path / "data" / "jwt-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(settings.jwt_secret) >= 32
    assert load_settings(tmp_path / "data").jwt_secret == settings.jwt_secret
    assert [path.name for path in secret.parent.iterdir()] == ["jwt-secret"]


def test_secret_is_stored_beside_the_sqlite_file(tmp_path: Path) -> None:
    load_settings(tmp_path / "data", DATABASE_URL=f"sqlite:///{tmp_path / 'other' / 'x.db'}")
    assert (tmp_path / "other" / "jwt-secret").exists()


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("postgres://u:p@h:5433/d", "postgresql://u:p@h:5433/d?application_name=riskscan"),
        ("postgresql://u@h/d", "postgresql://u@h/d?application_name=riskscan"),
        ("postgresql+asyncpg://u@h/d", "postgresql://u@h/d?application_name=riskscan"),
        ("postgres://u@h/d?sslmode=require", "postgresql://u@h/d?application_name=riskscan&sslmode=require"),
        (
            "postgresql+asyncpg://u@h/d?ssl=require",
            "postgresql://u@h/d?application_name=riskscan&sslmode=require",
        ),
        (
            "postgresql://u@h/d?sslmode=verify-full&channel_binding=require&connect_timeout=10",
            "postgresql://u@h/d?application_name=riskscan&sslmode=verify-full",
        ),
        ("postgresql://u@/d?host=/run", "postgresql://u@/d?application_name=riskscan&host=%2Frun"),
        (
            "postgresql:///d?host=/var/run/postgresql",
            f"postgresql:///d?application_name=riskscan&host=%2Fvar%2Frun%2Fpostgresql&user={OS_USER}",
        ),
        ("postgres://h/d", f"postgresql://h/d?application_name=riskscan&user={OS_USER}"),
        (
            "postgresql://h/d?user=u&sslrootcert=/a b.crt",
            "postgresql://h/d?application_name=riskscan&user=u&sslrootcert=%2Fa%20b.crt",
        ),
        ("sqlite:///data/x.db", "sqlite:///data/x.db"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("sqlite+aiosqlite:////var/x.db", "sqlite:////var/x.db"),
    ],
)
def test_common_forms_of_a_database_url_are_normalized(given_url: str, url: str) -> None:
    assert database_url(given_url) == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u@h/d"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///x.db?a=1"),
        ("DATABASE_URL", "postgresql://u@h:port/d"),
        ("DATABASE_URL", "postgresql://u@h/d?made_up=1"),
        ("DATABASE_URL", "nonsense"),
        ("JWT_SECRET", "x" * 31),
        ("JWT_SECRET_PREVIOUS", "x" * 31),
        ("JWT_ALGORITHM", "none"),
        ("JWT_ALGORITHM", "RS256"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "1.5"),
        ("AI_SERVICE_URL", "localhost:8082"),
        ("AI_SERVICE_URL", "ftp://h"),
        ("AI_SERVICE_TIMEOUT", "0"),
        ("AI_SERVICE_TIMEOUT", "nan"),
        ("MAX_UPLOAD_MB", "-1"),
        ("MAX_UPLOAD_MB", "inf"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "http://a.example/path"),
        ("CORS_ORIGINS", "a.example"),
        ("CORS_ORIGINS", "http://u:p@a.example"),
        ("CORS_ORIGINS", "http://a.example?"),
        ("CORS_ORIGINS", "http://*.example"),
        ("CORS_ORIGINS", "http://a.example:99999"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("MAX_UPLOAD_MB", "1e-9"),
        ("MAX_TEXT_MB", "0"),
        ("UPLOAD_MEMORY_MB", "0"),
        ("AI_SERVICE_URL", "http://h:0"),
        ("AI_SERVICE_URL", "http://a..b"),
        ("AI_SERVICE_URL", f"http://{'a' * 64}.example"),
        ("HOST", "unix:relative/path"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("LOGIN_LIMIT", "10"),
        ("LOGIN_LIMIT", "10/fortnight"),
        ("SCANS_PER_DAY", "0"),
        ("MEGABYTES_PER_DAY", "0.5"),
        ("PASSWORD_HELP", "two\nlines"),
        ("PASSWORD_HELP", "x" * 301),
        ("TRUSTED_USER_HEADER", "Remote Email"),
        ("OIDC_ISSUER", "http://auth.example.com"),
        ("OIDC_ISSUER", "https://auth.example.com?a=b"),
        ("OIDC_ISSUER", "auth.example.com"),
        ("OIDC_CLIENT_SECRET", "two\nlines"),
        ("TRUSTED_PROXIES", "everyone"),
        ("REGISTRATION", "yes"),
        ("REGISTRATION", "user@example.com"),
        ("REGISTRATION", "*.example.com"),
        ("REGISTRATION", "closed,example.com"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_invalid_value_is_refused_by_setting_name_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, **{name: value})
    line = str(raised.value)
    assert re.match(rf"{name} must be ", line)
    assert "\n" not in line
    if name in ("JWT_SECRET", "JWT_SECRET_PREVIOUS", "AI_SERVICE_URL") or (
        name == "DATABASE_URL" and "@" in value
    ):
        assert value not in line


def test_ai_concurrency_must_cover_every_worker(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AI_MAX_CONCURRENCY must not be less than WORKERS"):
        load_settings(tmp_path, WORKERS="3", AI_MAX_CONCURRENCY="2")


def test_a_day_has_megabytes_for_every_upload(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MEGABYTES_PER_DAY must not be less than MAX_UPLOAD_MB"):
        load_settings(tmp_path, MEGABYTES_PER_DAY="1", MAX_UPLOAD_MB="1.5")
    assert load_settings(tmp_path, MEGABYTES_PER_DAY="1", MAX_UPLOAD_MB="1").megabytes_per_day == 1


def test_trusted_user_header_is_refused_without_proxies_of_its_own(tmp_path: Path) -> None:
    header = {"TRUSTED_USER_HEADER": "Remote-Email"}
    for proxies in ({}, {"TRUSTED_PROXIES": ","}, {"TRUSTED_PROXIES": " "}):
        with pytest.raises(SettingsError, match="TRUSTED_USER_HEADER needs TRUSTED_PROXIES"):
            load_settings(tmp_path, **header, **proxies)
    for allowed in ({"TRUSTED_PROXIES": "127.0.0.1"}, {"HOST": "unix:/run/riskscan.sock"}):
        assert load_settings(tmp_path, **header, **allowed).trusted_user_header == "Remote-Email"


def test_issuer_needs_a_client_and_is_kept_as_it_is(tmp_path: Path) -> None:
    for issuer in ("https://auth.example.com/", "https://auth.example.com", "http://localhost:9400"):
        settings = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": "riskscan"}
        with pytest.raises(SettingsError, match="OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"):
            load_settings(tmp_path, **settings)
        assert load_settings(tmp_path, **settings, OIDC_CLIENT_SECRET="s").oidc_issuer == issuer


def test_issuer_without_the_extra_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    settings = {"OIDC_ISSUER": "https://a.example", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "s"}
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, **settings)
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["oidc"]
    command = f'pip install "{extra[0]}"'
    assert str(raised.value) == f"OIDC_ISSUER needs the extra oidc: run {command}"
    assert command in (ROOT / "docs/deploying.md").read_text()


def test_postgresql_needs_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="JWT_SECRET must be set"):
        load_settings(tmp_path, DATABASE_URL="postgresql://u@h/d")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:se:cret@h/d", "postgresql://u:********@h/d"),
        ("postgresql://u:top@secret@h/d", "postgresql://u:********@h/d"),
        ("http://u:secret@h:1/x", "http://u:********@h:1/x"),
        ("postgresql://u@h/d?password=secret&host=x", "postgresql://u@h/d?password=********&host=x"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_table_shows_values_as_they_are_set(tmp_path: Path) -> None:
    set_values = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}",
        "JWT_ALGORITHM": "HS512",
        "CORS_ORIGINS": "http://a.example,http://b.example",
        "AI_SERVICE_TIMEOUT": "2.5",
        "MAX_UPLOAD_MB": "0.5",
        "WORKERS": "3",
        "SCAN_LIMIT": "off",
        "SCANS_PER_DAY": "100",
        "MEGABYTES_PER_DAY": "50",
        "SCAN_RETENTION_DAYS": "30",
        "TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8",
    }
    unset = {"AI_SERVICE_URL": "(embedded)", "METRICS_TOKEN": "", "BODY_TIMEOUT": "120"}
    others = {"JWT_SECRET": "********", "LOGIN_LIMIT": "10/60s"}
    table = load_settings(tmp_path, **set_values).as_table()
    assert [name for name, _ in table] == NAMES
    expected = set_values | unset | others
    assert {name: value for name, value in table if name in expected} == expected
    secrets = {"AI_SERVICE_URL": "http://u:secret@h", "METRICS_TOKEN": "m" * 16, "JWT_SECRET": "j" * 32}
    shown = dict(load_settings(tmp_path, SCAN_RETENTION_DAYS="off", **secrets).as_table())
    assert (shown["AI_SERVICE_URL"], shown["SCAN_RETENTION_DAYS"]) == ("http://u:********@h", "off")
    assert (shown["METRICS_TOKEN"], shown["JWT_SECRET"]) == ("********", "********")


@pytest.mark.parametrize(
    ("value", "domains", "shown"),
    [
        ("open", None, "open"),
        ("closed", (), "closed"),
        ("Example.COM, corp.local,", ("example.com", "corp.local"), "example.com,corp.local"),
        ("xn--bcher-kva.example", ("bücher.example",), "bücher.example"),
    ],
)
def test_registration_is_open_closed_or_for_domains(
    tmp_path: Path, value: str, domains: tuple[str, ...] | None, shown: str
) -> None:
    settings = load_settings(tmp_path, REGISTRATION=value)
    assert settings.registration_domains == domains
    assert dict(settings.as_table())["REGISTRATION"] == shown


def test_folder_that_cannot_be_created_is_refused_by_setting_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="DATA_DIR"):
        load_settings(tmp_path / "file" / "data")
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        load_settings(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/nul\0/x.db")


def test_rates_are_parsed(tmp_path: Path) -> None:
    assert load_settings(tmp_path, LOGIN_LIMIT="7/hour").login_limit == Rate(7, 3600)
    assert load_settings(tmp_path, LOGIN_LIMIT="off").login_limit.attempts == 0


def test_secrets_are_read_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {
        "DATABASE_URL": "postgresql://u:p@h/d",
        "JWT_SECRET": "j" * 32,
        "AI_SERVICE_URL": "http://u:secret@h",
        "METRICS_TOKEN": "m" * 16,
        "LLM_API_KEY": "key",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(f"{content}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
        monkeypatch.delenv(name, raising=False)
    variables = environment(tmp_path)
    assert contents.items() <= variables.items()
    assert [name for name in variables if name.endswith("_FILE") and name[:-5] in contents] == []
    settings = Settings.from_env(variables, tmp_path)
    assert (settings.jwt_secret, settings.metrics_token) == ("j" * 32, "m" * 16)
    assert find_misspelled_settings({"JWT_SECRET_FILE": "x", "JWT_SECRT_FILE": "x"}) == {
        "JWT_SECRT_FILE": "JWT_SECRET_FILE"
    }


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "JWT_SECRET_FILE cannot be read: .*No such file"),
        (b"\xff" * 32, "JWT_SECRET_FILE cannot be read: .*can't decode"),
        (b"\n", "JWT_SECRET_FILE is empty: "),
        (b"short", "JWT_SECRET must be at least 32 characters$"),
    ],
)
def test_secret_file_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, error: str
) -> None:
    if content:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("JWT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=error) as raised:
        Settings.from_env(environment(tmp_path), tmp_path)
    assert "\n" not in str(raised.value)
    assert "short" not in str(raised.value)


def test_secret_and_its_file_must_not_both_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"JWT_SECRET={'j' * 32}\n")
    monkeypatch.setenv("JWT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match="JWT_SECRET and JWT_SECRET_FILE must not both be set"):
        environment(tmp_path)


def test_settings_md_names_every_secret_that_a_file_can_hold() -> None:
    line = SETTINGS_MD.partition("The secrets are ")[2].partition(".\n")[0]
    assert re.findall("`([A-Z_]+)`", line) == SECRETS


def test_settings_md_lists_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", SETTINGS_MD, re.MULTILINE)
    assert [name for name, _ in rows][: len(NAMES)] == NAMES
    documented = dict(rows)
    defaults = {field.metadata["env"]: field.metadata["default"] for field in dataclasses.fields(Settings)}
    assert {name: documented[name] for name in NAMES if defaults[name]} == {
        name: f"`{default}`" for name, default in defaults.items() if default
    }


def test_settings_md_lists_every_setting_of_the_ai_service() -> None:
    source = (ROOT / "riskscan/ai_service/settings.py").read_text()
    names = set(re.findall(r'"((?:AI|LLM)_[A-Z_]+)"', source))
    assert names == set(OTHER_SETTINGS) - {"DATA_DIR"}
    assert names == set(
        re.findall(r"^\| `((?:AI|LLM)_[A-Z_]+)`", SETTINGS_MD.partition("AI service\n")[2], re.MULTILINE)
    )
