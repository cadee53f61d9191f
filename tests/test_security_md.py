"""SECURITY.md names tests that exist, and the rest of what it says of the code holds."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "SECURITY.md").read_text()
NAMED = re.findall(r"(tests/\w+\.py)((?:::\w+)+)", DOCUMENT)


def named_in(file: str) -> set[str]:
    """Return the tests of a file as pytest names them, the file left out."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        owner = f"::{node.name}" if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name.startswith("test_"):
                found.add(f"{owner}::{member.name}")
    return found


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 100
    existing = {file: named_in(file) for file, _ in NAMED}
    assert [f"{file}{name}" for file, name in NAMED if name not in existing[file]] == []


def test_every_requirement_has_one_row() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| v5.0.0-")]
    ids = re.findall(r"\bv5\.0\.0-\d+\.\d+\.\d+\b", "\n".join(rows))
    assert len(ids) > 100
    assert sorted(set(ids)) == sorted(ids)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = re.findall(r"^([\w.-]+)==[\w.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", one)[0]).lower() for one in wanted}  # type: ignore[index]
    assert names - pinned == set()


def test_the_readme_leads_here() -> None:
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text()
