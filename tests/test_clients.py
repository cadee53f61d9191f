"""The OpenAPI document makes clients that work, by the commands in docs/api.md."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.support.ai import Ai
from tests.support.application import Server

pytestmark = pytest.mark.slow

DOCUMENT = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
PYTHON = """
import sys

from risk_scan_client import AuthenticatedClient, Client
from risk_scan_client.api.accounts import accounts_login, accounts_register
from risk_scan_client.api.scans import scans_create, scans_index
from risk_scan_client.models import Credentials, PasswordGrant, Scan, ScanText

guest = Client(base_url=sys.argv[1])
accounts_register.sync(client=guest, body=Credentials("py@example.com", "correct horse"))
token = accounts_login.sync(client=guest, body=PasswordGrant("py@example.com", "correct horse"))
client = AuthenticatedClient(base_url=sys.argv[1], token=token.access_token)
text = scans_create.sync(client=client, body=ScanText("The pier may sink."))
files = {"file": open("plan.txt", "rb")}
upload = Scan.from_dict(client.get_httpx_client().post("/api/scan", files=files).json())
first = scans_index.sync(client=client, limit=1)
second = scans_index.sync(client=client, limit=1, cursor=first.next_cursor)
assert [page.scans[0].scan_id for page in (first, second)] == [upload.scan_id, text.scan_id]
assert second.next_cursor is None
print("done", upload.filename)
"""
TYPESCRIPT = """
import createClient from "openapi-fetch";
import type { paths } from "./riskscan";

const client = createClient<paths>({ baseUrl: process.argv[2] });
const body = { email: "ts@example.com", password: "correct horse" };
const { data: token } = await client.POST("/api/auth/register", { body });
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token!.access_token}`);
  },
});
await client.POST("/api/scan", { body: { text: "The pier may sink." } });
const { data: scan } = await client.POST("/api/scan", { body: { text: "The crane is late." } });
const first = await client.GET("/api/scans", { params: { query: { limit: 1 } } });
const cursor = first.data!.next_cursor!;
const second = await client.GET("/api/scans", { params: { query: { limit: 1, cursor } } });
if (first.data!.scans[0].scan_id !== scan!.scan_id) throw new Error("another scan is first");
if (second.data!.next_cursor !== null) throw new Error("there is another page");
console.log("done", scan!.data[0].risk);
"""


def documented_command(start: str, server: Server) -> str:
    """Return the command of docs/api.md that starts so, for this server."""
    found = re.search(rf"^{re.escape(start)}.*$", DOCUMENT, re.M)
    assert found
    return found[0].replace("http://127.0.0.1:8000", server.url)


async def run(command: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_shell(
        command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_generated_python_client_logs_in_scans_and_pages(server: Server, tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    await run(documented_command("uv tool run", server).replace("uv", str(uv), 1), tmp_path)
    (tmp_path / "client.py").write_text(PYTHON)
    (tmp_path / "plan.txt").write_text("The pier may sink.")
    packages = "--with ./risk-scan-client"
    output = await run(f"{uv} run --no-project {packages} python client.py {server.url}", tmp_path)
    assert output.endswith("done plan.txt\n")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_generated_typescript_client_logs_in_scans_and_pages(
    server: Server, ai: Ai, tmp_path: Path
) -> None:
    ai.findings = {
        "data": [{"risk": "The pier may sink.", "category": "Technical", "context": ""}],
        "source": "model",
    }
    await run("npm install --silent openapi-fetch@0.17 typescript@5 @types/node@20", tmp_path)
    await run(documented_command("npx openapi-typescript", server).replace("npx", "npx --yes", 1), tmp_path)
    (tmp_path / "client.mts").write_text(TYPESCRIPT)
    options = "--strict --module esnext --moduleResolution bundler --target es2022 --skipLibCheck"
    await run(f"npx tsc {options} client.mts", tmp_path)
    output = await run(f"node client.mjs {server.url}", tmp_path)
    assert output.endswith("done The pier may sink.\n")
