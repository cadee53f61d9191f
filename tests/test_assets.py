"""What is sent of our scripts and styles: what they import in its place, no comments, and all of the rest."""

from __future__ import annotations

import re

import pytest

from riskscan.assets import STATIC, read_asset

OURS = [path.name for pattern in ("*.css", "*.js") for path in sorted(STATIC.glob(pattern))]
IMPORTED = {"style.css": "vendor/pico/pico.css", "findings.js": "keys.js", "history.js": "keys.js"}


def list_code(name: str) -> list[str]:
    """Return the lines of code but imports of a script or style, found in a way of its own."""
    without = re.sub(r"/\*.*?\*/", "", (STATIC / name).read_text(), flags=re.DOTALL)
    lines = [line.partition("  //")[0].strip() for line in without.splitlines()]
    return [line for line in lines if line and not line.startswith(("//", "import ", "@import "))]


@pytest.mark.parametrize("name", OURS)
def test_scripts_and_styles_are_sent_with_imports_and_without_comments(name: str) -> None:
    code = list_code(name)
    sent = read_asset(name).decode().splitlines()
    before, own = sent[: -len(code)], sent[-len(code) :]
    assert own == code
    imported = read_asset(IMPORTED[name]).decode() if name in IMPORTED else ""
    assert before == [line.removeprefix("export ") for line in imported.splitlines()]


def test_files_of_others_are_sent_as_they_are() -> None:
    for path in STATIC.rglob("*.*"):
        name = path.relative_to(STATIC).as_posix()
        assert name in OURS or read_asset(name) == path.read_bytes()
