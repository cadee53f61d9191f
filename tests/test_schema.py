"""The API conforms to its OpenAPI document: schemathesis with all checks."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.ai import FINDINGS, NOTES, Ai
from tests.support.application import Server

pytestmark = pytest.mark.slow

SUPPORT = Path(__file__).parent / "support"
CASES = int(os.environ.get("CASES", "2000"))  # in total; half of them with a token
EXAMPLES = CASES // 28  # per operation; operations without input have only one


@pytest.mark.timeout(max(600, CASES // 4))
@pytest.mark.parametrize(
    ("database_url", "hooks"), [("postgresql", "schema_hooks"), ("sqlite", "")], indirect=["database_url"]
)
async def test_api_conforms_to_its_openapi_document(
    server: Server, ai: Ai, hooks: str, tmp_path: Path
) -> None:
    ai.findings = {**FINDINGS, "notes": [*NOTES, "x" * 1000]}
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SUPPORT / "schemathesis.toml")),
        *("run", f"{server.url}/api/openapi.json", f"--max-examples={EXAMPLES}"),
    ]
    st = await asyncio.create_subprocess_exec(
        *command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SUPPORT), "SCHEMATHESIS_HOOKS": hooks, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await st.communicate())[0].decode()
    assert st.returncode == 0, output
    counted = re.search(r"(\d+) generated, (\d+) passed", output)
    assert counted, output
    print(counted[0])
    assert int(counted[1]) >= CASES / 2, output
    # with a token every protected operation was reached, created scans were read and deleted,
    # and a new account was registered after each account deletion
    assert ("returned only 401/403 responses" in output) == (not hooks), output
    assert bool(re.search(r"API Links: +0 covered", output)) == (not hooks), output
    assert ("Re-authenticated" in output) == bool(hooks), output
