"""Imports of riskscan run one way, between folders too; read from the sources, functions included."""

from __future__ import annotations

import ast
import graphlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "riskscan"
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
# modules and folders; each may import what stands further left, and a folder its own modules
ORDER = """
__init__ → errors settings schemas file_types text logs server_timing compression assets
shared_metrics →
concurrency languages search_terms scan_names fingerprints charts → risk_matching ai_service →
request database export note_translations → marking history report register_reader register_import →
metrics → audit → auth rate_limits template_filters → quotas → ai_client → responses → idempotency →
middleware handlers → api_reference → openapi → routes → client → scan_command → client_commands →
app commands → administration → server → __main__
"""


def rows_of(order: str) -> list[list[str]]:
    return [row.split() for row in order.split("→")]


ROW = {name: number for number, row in enumerate(rows_of(ORDER)) for name in row}


def imported_modules(path: Path) -> Iterator[tuple[Path, int]]:
    """Return the files of riskscan that a file imports, with the lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = path.relative_to(PACKAGE.parent).parts[: -node.level] if node.level else ()
            module = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == PACKAGE.name:
                yield find_file(name), node.lineno


def find_file(name: str) -> Path:
    """Return the file of a module, or of the module that defines the name."""
    target = PACKAGE.parent.joinpath(*name.split("."))
    candidates = (target / "__init__.py", target.with_suffix(".py"), target.parent / "__init__.py")
    return next((path for path in candidates if path.exists()), target.parent.with_suffix(".py"))


def unit(path: Path) -> str:
    """Return the top-level module or folder that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


IMPORTS = {
    (path, target): f"{path.relative_to(PACKAGE.parent)}:{line} imports {target.relative_to(PACKAGE.parent)}"
    for path in sorted(PACKAGE.rglob("*.py"))
    for target, line in imported_modules(path)
}


def test_every_module_and_folder_has_a_place_in_the_order() -> None:
    assert {unit(path) for path in PACKAGE.rglob("*.py")} - ROW.keys() == set()


def test_imports_lead_to_lower_rows() -> None:
    wrong = [
        text
        for (path, target), text in IMPORTS.items()
        if unit(path) != unit(target) and ROW[unit(path)] <= ROW[unit(target)]
    ]
    assert wrong == []


def test_no_modules_import_each_other() -> None:
    graph: dict[Path, set[Path]] = {}
    for path, target in IMPORTS:
        graph.setdefault(path, set()).add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        cycle: list[Path] = exc.args[1]  # each imported by the next
        edges = [(path, target) for target, path in itertools.pairwise(cycle)]
        raise AssertionError([IMPORTS[edge] for edge in edges]) from None


def test_contributing_states_the_same_order() -> None:
    block = re.search(r"```\n([^`]*→[^`]*)```", CONTRIBUTING.read_text())
    assert block
    rows = [[ROW[name] for name in row] for row in rows_of(block[1])]
    assert all(max(low) < min(high) for low, high in itertools.pairwise(rows))
