"""Settings of the service, read from environment variables."""

import fnmatch
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

# what Python, the C library and Tesseract read: where programs, modules, libraries, temporary files and
# language files are, and the encoding of file names
SYSTEM_VARIABLES = (
    "PATH", "PYTHON*", "LD_LIBRARY_PATH", "DYLD_*", "TMPDIR", "TESSDATA_PREFIX", "LANG", "LC_*",
)  # fmt: skip
# with the authorities that sign the language model's certificate
SERVICE_VARIABLES = (
    *SYSTEM_VARIABLES,
    "LLM_*", "AI_*", "MAX_UPLOAD_MB", "LOG_LEVEL", "LOG_FORMAT", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip


def select_variables(env: Mapping[str, str], patterns: tuple[str, ...]) -> dict[str, str]:
    """Return the variables of an environment whose names match a pattern."""
    return {
        name: value
        for name, value in env.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


class SettingsError(Exception):
    """An invalid environment variable, described in one line for the operator."""


@dataclass(frozen=True)
class Settings:
    """Limits and the optional language model; times in seconds, sizes in bytes."""

    max_upload_bytes: int = 10 * 1024 * 1024
    workers: int = 2
    encoder: str = "on"
    llm_base_url: str = ""
    llm_model: str = ""
    llm_api_key: str = ""
    llm_timeout: float = 45.0
    llm_parallel: int = 6
    log_level: str = "info"
    log_format: str = "console"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError, which names the variable and the values it accepts."""
        base_url = env.get("LLM_BASE_URL", "").strip().rstrip("/")
        if base_url and urlsplit(base_url).scheme not in ("http", "https"):
            raise SettingsError(
                "LLM_BASE_URL must be an http:// or https:// URL, such as http://localhost:11434/v1"
            )
        model = env.get("LLM_MODEL", "").strip()
        if base_url and not model:
            raise SettingsError("LLM_MODEL must be set to the name of a model at LLM_BASE_URL")
        return cls(
            max_upload_bytes=int(_read_number(env, "MAX_UPLOAD_MB", 10, 1e-6, 3600) * 1024 * 1024),
            workers=int(_read_number(env, "AI_WORKERS", min(2, os.cpu_count() or 1), 1, 64)),
            encoder=_read_choice(env, "AI_ENCODER", "on", "off"),
            llm_base_url=base_url,
            llm_model=model,
            llm_api_key=env.get("LLM_API_KEY", "").strip(),
            llm_timeout=_read_number(env, "LLM_TIMEOUT", 45, 1, 50),
            llm_parallel=int(_read_number(env, "LLM_PARALLEL", 6, 1, 64)),
            log_level=_read_choice(env, "LOG_LEVEL", "info", "debug", "warning", "error"),
            log_format=_read_choice(env, "LOG_FORMAT", "console", "json"),
        )


def _read_number(env: Mapping[str, str], name: str, default: float, minimum: float, maximum: float) -> float:
    text = env.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not minimum <= value <= maximum:
        raise SettingsError(f"{name} must be a number from {minimum:g} to {maximum:g}, not {text!r}")
    return value


def _read_choice(env: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = env.get(name, "").strip().lower() or default
    if value not in (default, *others):
        raise SettingsError(f"{name} must be one of {', '.join((default, *others))}, not {value!r}")
    return value


SETTINGS = web.AppKey("SETTINGS", Settings)
