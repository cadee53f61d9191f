"""The SQL statements of a version, kept for the tests of the next: `python -m tests.support.statements`."""

from __future__ import annotations

import importlib
import pkgutil
import re

from riskscan import database

STATEMENT = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b")
HEAD = re.compile(r"^-- (\w+\.\w+)\n", re.MULTILINE)


def collect_statements() -> dict[str, str]:
    """Return the statements of this version by module and name."""
    statements: dict[str, str] = {}
    for module in pkgutil.iter_modules(database.__path__):
        constants = vars(importlib.import_module(f"{database.__name__}.{module.name}"))
        for name, text in constants.items():
            if name.isupper() and isinstance(text, str) and STATEMENT.match(text):
                statements.setdefault(text, f"{module.name}.{name}")
    return {name: text for text, name in statements.items()}


def write_statements(statements: dict[str, str]) -> str:
    return "\n\n".join(f"-- {name}\n{text.strip()}" for name, text in statements.items())


def read_statements(text: str) -> dict[str, str]:
    _, *parts = HEAD.split(text)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


if __name__ == "__main__":
    print(write_statements(collect_statements()))
