"""The files in static/; our scripts and styles are sent without comments, and with what they import."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
COMMENT = r"(?://.*|/\*(?:.|\n)*?\*/)"
# comments, after code with two spaces before them, and indentation: 1.6 of 28 KB that a first visit receives
UNNEEDED = re.compile(rf"^ *{COMMENT}\n|  +{COMMENT}$|^ +|^\n", re.MULTILINE)
IMPORT = re.compile(r'^(?:@import|import(?: {.+} from)?) "\./(.+)";\n', re.MULTILINE)


def read_asset(name: str) -> bytes:
    """Return a file of static/ as it is sent."""
    content = (STATIC / name).read_bytes()
    if name.startswith("vendor/") or not name.endswith((".css", ".js")):
        return content
    return IMPORT.sub(read_import, UNNEEDED.sub("", content.decode())).encode()


def read_import(statement: re.Match[str]) -> str:
    """Return what takes the place of an import: in a module all names are then of one scope."""
    return re.sub("^export ", "", read_asset(statement[1]).decode(), flags=re.MULTILINE)


@functools.cache
def asset_url(name: str) -> str:
    """Return the address of a file in static/, which changes with its content: it can be cached forever."""
    return f"/static/{name}?v={hashlib.sha256(read_asset(name)).hexdigest()[:12]}"
