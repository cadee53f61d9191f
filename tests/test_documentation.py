"""The documents name tests, files, operations, fields and error codes that exist, and all of them."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from riskscan.errors import ERRORS_BY_STATUS
from riskscan.schemas import MAX_PASSWORD, MIN_PASSWORD
from tests.support.client import Person

ROOT = Path(__file__).parent.parent
API = (ROOT / "docs/api.md").read_text()
EXPORTS = (ROOT / "docs/exports.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
ASVS = (ROOT / "docs/security-asvs.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


async def openapi(guest: Person) -> Any:
    reply = await guest.get("/api/openapi.json")
    assert reply.status == 200
    return reply.json


def rows_of(document: str, column: str) -> list[str]:
    """Return the first cells of the Markdown table whose first column is `column`, without backticks."""
    lines = iter(document.splitlines())
    for line in lines:
        if line.startswith(f"| {column} |"):
            break
    next(lines)  # the rule below the titles
    cells = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells.append(line.split("|")[1].strip().strip("`"))
    return cells


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_security_md_is_short() -> None:
    assert len(SECURITY.encode()) <= 8000


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(path: Path) -> None:
    named = re.findall(r"`((?:deploy|docs|migrations|riskscan|tests|training)/[\w./-]*)`", path.read_text())
    assert [file for file in named if not (ROOT / file).exists()] == []


def test_readme_lists_every_module() -> None:
    tree = (ROOT / "README.md").read_text().partition("is organised\n\n```\n")[2].partition("```")[0]
    lines = [line for line in tree.splitlines() if line.startswith("  ")]
    listed = [name.rstrip("/") for line in lines for name in re.split(r"\s{2,}", line.strip())[0].split(", ")]
    modules = [
        path.name for path in (ROOT / "riskscan").iterdir() if not path.name.startswith(("__init__", "__pyc"))
    ]
    assert sorted(listed) == sorted(modules)


@pytest.mark.parametrize("document", [SECURITY, ASVS], ids=["SECURITY.md", "security-asvs.md"])
def test_named_tests_exist(document: str) -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py")]
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    existing = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, functions)}
    named = re.findall(r"`(test_\w+)`", document)
    assert len(named) > 20
    assert sorted(set(named) - existing) == []


def test_each_guarantee_names_a_test() -> None:
    rows = re.search(r"\| guarantee \| tests \|\n.*\n((?:\|.*\n)+)", SECURITY)
    assert rows
    assert [row for row in rows[1].splitlines() if "`test_" not in row] == []


def test_each_asvs_requirement_has_one_row() -> None:
    rows = [line for line in ASVS.splitlines() if line.startswith("| v5.0.0-")]
    ids = re.findall(r"\bv5\.0\.0-\d+\.\d+\.\d+\b", "\n".join(rows))
    assert len(ids) > 100
    assert sorted(set(ids)) == sorted(ids)


def test_every_dependency_is_pinned() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime, tests = pyproject["project"]["dependencies"], pyproject["dependency-groups"]["dev"]
    for file, wanted in (("requirements.txt", runtime), ("requirements-dev.txt", [*runtime, *tests])):
        lock = (ROOT / file).read_text()
        entries = re.findall(r"^([\w.-]+)==([\w.]+)[^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE)
        assert len(entries) == len(re.findall(r"^[^\s#]", lock, re.MULTILINE))  # nothing has no hash
        pinned = {canonicalize_name(name): version for name, version in entries}
        for requirement in map(Requirement, wanted):
            version = pinned.get(canonicalize_name(requirement.name), "nothing")
            assert requirement.specifier.contains(version), (
                f"{requirement}: {version} in {file}; run make lock"
            )


async def test_api_md_lists_every_operation(guest: Person) -> None:
    operations = [
        f"{method.upper()} {path}"
        for path, methods in (await openapi(guest))["paths"].items()
        for method in methods
    ]
    assert sorted(rows_of(API, "operation")) == sorted(operations)


async def test_api_md_names_every_parameter_and_field(guest: Person) -> None:
    document = await openapi(guest)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = {parameter["name"] for operation in operations for parameter in operation.get("parameters", ())}
    names |= {
        name for one in document["components"]["schemas"].values() for name in one.get("properties", ())
    }
    missing = {name for name in names if not re.search(rf"[`\"{{/]{name}[`\"}}]", API + EXPORTS)}
    assert missing == set()


async def test_api_md_names_every_file_type(guest: Person) -> None:
    body = (await openapi(guest))["paths"]["/api/scan"]["post"]["requestBody"]
    file = body["content"]["multipart/form-data"]["schema"]["properties"]["file"]
    types = re.findall(r"\.\w+", file["description"])
    assert len(types) > 10
    assert sorted(re.findall(r"`(\.\w+)`", API)) == sorted(types)


def test_api_md_states_the_length_of_a_password() -> None:
    assert f"`password` ({MIN_PASSWORD} to {MAX_PASSWORD} characters)" in API


async def test_exports_md_lists_every_format_and_layout(guest: Person) -> None:
    parameters = (await openapi(guest))["paths"]["/api/scans/export"]["get"]["parameters"]
    choices = {one["name"]: one["schema"].get("enum") for one in parameters}
    assert [cell.split("`")[0] for cell in rows_of(EXPORTS, "`format`")] == choices["format"]
    assert [cell.split(" (")[0] for cell in rows_of(EXPORTS, "`layout`")][1:] == choices["layout"][1:]


def test_api_md_lists_every_error_code() -> None:
    sources = [
        path.read_text() for path in (ROOT / "riskscan").rglob("*.py") if "ai_service" not in path.parts
    ]
    raised = re.findall(r'\b(?:ApiError|unavailable)\(\s*(?:\w+,\s*)?"([a-z_]+)"', "".join(sources))
    codes = {*raised, *(code for code, _ in ERRORS_BY_STATUS.values())}
    assert sorted(rows_of(API, "`error`")) == sorted(codes)
