"""The embedded AI service as RiskScan meets it: a real process on a real socket."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.ai_service.service import SAMPLES, Service, contexts, found, refused, running, scan


async def test_two_risks_in_one_sentence_are_two_findings(
    http: aiohttp.ClientSession, service: Service
) -> None:
    text = "Project has tight budget and aggressive deadline"
    assert await scan(http, service, text=text) == (
        200,
        {
            "data": [
                {"risk": "Project has tight budget", "category": "Financial", "context": text},
                {"risk": "Aggressive deadline", "category": "Schedule", "context": text},
            ],
            "source": "model",
        },
    )


async def test_it_says_what_it_is(http: aiohttp.ClientSession, service: Service) -> None:
    async with http.get(service.url + "/") as response:
        about = await response.json()
    assert about["model"] == "built-in"
    assert about["llm_configured"] is False


async def test_a_contract_in_pdf_gives_its_hard_terms_and_not_its_boilerplate(
    http: aiohttp.ClientSession, service: Service
) -> None:
    lines = contexts(await found(http, service, SAMPLES / "contract.pdf"))
    assert "Interest of 2% per week is charged on any rent that is paid late." in lines
    assert any(line.startswith("The Lessor is not liable for standstill") for line in lines)
    assert any(line.startswith("It is renewed automatically") for line in lines)
    assert not any("governed" in line or "Notices" in line for line in lines)


async def test_a_word_report_gives_its_open_risks_table_included(
    http: aiohttp.ClientSession, service: Service
) -> None:
    lines = contexts(await found(http, service, SAMPLES / "report.docx"))
    assert "The moving company has not confirmed the date." in lines
    assert "The floor may be too weak for the rolling shelves." in lines
    assert "Fire permit for the new building has expired." in lines
    assert not any("insurer" in line or "lift" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cp1252.txt", "The façade “Zum Löwen” is cracked and may collapse – the owner’s insurer won’t pay."),
        ("utf16.txt", "ថវិកាមិនគ្រប់គ្រាន់ទេ។"),
        ("register.csv", "The ferry contract ends in June; no successor has been found."),
    ],
)
async def test_text_of_other_encodings_and_tables_is_read(
    http: aiohttp.ClientSession, service: Service, name: str, line: str
) -> None:
    assert line in contexts(await found(http, service, SAMPLES / name))


async def test_file_and_text_are_both_analysed(http: aiohttp.ClientSession, service: Service) -> None:
    file = ("ហានិភ័យ.md", b"# Concerns\n\n- The pump leaks badly and may fail.\n")
    status, answer = await scan(http, service, file, text="The second instalment has not been paid.")
    assert status == 200
    assert contexts(answer["data"]) == [
        "The pump leaks badly and may fail.",
        "The second instalment has not been paid.",
    ]


@pytest.mark.parametrize("start", ["PKI ", "%PDF- is how a PDF begins. ", "BM: ", "GIF "])
async def test_text_that_begins_like_another_format_is_text(
    http: aiohttp.ClientSession, service: Service, start: str
) -> None:
    line = "The pump leaks badly and may fail."
    text = f"{start}\n\n{line}\n"
    for name in ("notes.md", "notes.txt"):
        if not start.startswith("%"):
            _, answer = await scan(http, service, (name, text.encode()))
            assert contexts(answer["data"]) == [line]
    _, answer = await scan(http, service, text=text + "Tea was served.\n\n" * 2000)
    assert contexts(answer["data"]) == [line]


async def test_text_with_a_few_bad_bytes_keeps_its_encoding(
    http: aiohttp.ClientSession, service: Service
) -> None:
    line = "ថវិកាគម្រោងមិនគ្រប់គ្រាន់សម្រាប់ដំណាក់កាលទីពីរទេ។"
    _, answer = await scan(http, service, ("cut.txt", f"{line}\n\nសាលា".encode()[:-2]))
    assert line in contexts(answer["data"])


async def test_contexts_are_verbatim_with_their_marks(http: aiohttp.ClientSession, service: Service) -> None:
    text = "The **pump** leaks badly and may fail.\n\nថវិកា\u200bមិន\u200bគ្រប់គ្រាន់\u200bទេ។"
    _, answer = await scan(http, service, text=text)
    assert contexts(answer["data"]) == text.split("\n\n")
    assert answer["data"][0]["risk"] == "The pump leaks badly and may fail"


async def test_what_cannot_be_read_is_refused_in_words(http: aiohttp.ClientSession, service: Service) -> None:
    assert "password" in await refused(http, service, 422, SAMPLES / "locked.pdf")
    assert "empty" in await refused(http, service, 422, ("a.txt", b""))
    assert "damaged" in await refused(http, service, 422, ("a.pdf", b"%PDF-1.7 and nothing more"))
    assert "damaged" in await refused(http, service, 422, ("a.pdf", b"no such thing"))
    assert "archive" in await refused(http, service, 422, ("a.docx", b"PK\5\6" + bytes(18)))
    assert "not text" in await refused(http, service, 422, ("a.txt", bytes(range(256)) * 20))
    assert "Provide" in await refused(http, service, 422, text=" ")
    assert "force_llm" in await refused(http, service, 422, text="The budget is tight.", force_llm="perhaps")


async def test_what_is_no_form_is_refused(http: aiohttp.ClientSession, service: Service) -> None:
    bodies: list[dict[str, Any]] = [{"json": {"text": "x"}}, {"data": {"text": "x"}}, {}]
    for arguments in bodies:
        async with http.post(service.url + "/scan", **arguments) as response:
            assert response.status == 415
            assert (await response.json())["error"] == "unsupported_media_type"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with http.post(service.url + "/scan", data=b"--b\r\nContent-Disp", headers=headers) as response:
        assert response.status == 400
    async with http.get(service.url + "/scan") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
    async with http.get(service.url + "/else") as response:
        assert (response.status, (await response.json())["error"]) == (404, "not_found")


async def test_more_than_the_limit_is_413_said_or_not(http: aiohttp.ClientSession) -> None:
    big = b"The budget is tight. " * 60_000
    with running(MAX_UPLOAD_MB="1") as small:
        assert "1 MB" in await refused(http, small, 413, ("a.txt", big))

        async def unannounced() -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
            yield big

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        async with http.post(small.url + "/scan", data=unannounced(), headers=headers) as response:
            assert response.status == 413


def children(pid: int) -> list[int]:
    """Return the processes below a process."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def wait_until_gone(pid: int) -> None:
    """Return once the process has ended; raises TimeoutError after ten seconds."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        import select

        if not select.select([handle], [], [], 10)[0]:
            raise TimeoutError(f"process {pid} is still there")
        os.close(handle)


async def test_it_ends_with_its_standard_input_and_says_nothing_on_stdout(
    http: aiohttp.ClientSession,
) -> None:
    with running() as own:
        await scan(http, own, text="The budget is tight.")
        workers = children(own.process.pid)
        assert workers
        assert own.process.stdin
        own.process.stdin.close()
        assert own.process.wait(10) == 0
        assert own.process.stdout
        assert own.process.stdout.read() == b""
        for worker in workers:
            wait_until_gone(worker)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_its_workers_end_with_it(http: aiohttp.ClientSession, number: signal.Signals) -> None:
    with running() as own:
        await scan(http, own, text="The budget is tight.")
        workers = children(own.process.pid)
        own.process.send_signal(number)
        assert own.process.wait(10) == (0 if number == signal.SIGTERM else -number)
        for worker in workers:
            wait_until_gone(worker)


async def test_a_worker_that_dies_is_replaced(http: aiohttp.ClientSession) -> None:
    with running() as own:
        await scan(http, own, text="The budget is tight.")
        for worker in children(own.process.pid):
            os.kill(worker, signal.SIGKILL)
        assert (await scan(http, own, text="The budget is tight."))[0] == 200


async def test_a_long_document_does_not_hold_up_a_short_text(http: aiohttp.ClientSession) -> None:
    with running(AI_WORKERS="1") as own:
        await scan(http, own, text="The budget is tight.")
        long = "".join(f"The supplier of part {n} has not answered and may be late.\n\n" for n in range(8000))
        slow = asyncio.create_task(scan(http, own, ("long.txt", long.encode())))
        times = []
        while not slow.done():
            started = asyncio.get_running_loop().time()
            assert (await scan(http, own, text="The budget is tight."))[0] == 200
            times.append(asyncio.get_running_loop().time() - started)
        status, answer = slow.result()
        assert status == 200
        assert len(answer["data"]) <= 200
        assert len(times) > 5
        assert max(times) < 2


def test_the_command_line_names_what_is_wrong() -> None:
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "riskscan.ai_service", *arguments]
        return subprocess.run(
            command, env=os.environ | env, capture_output=True, text=True, timeout=30, check=False
        )

    for env, word in (
        ({"MAX_UPLOAD_MB": "ten"}, "MAX_UPLOAD_MB"),
        ({"LLM_BASE_URL": "localhost"}, "LLM_BASE_URL"),
        ({"LLM_BASE_URL": "http://localhost:1/v1", "LLM_MODEL": ""}, "LLM_MODEL"),
    ):
        failed = run("--port", "0", **env)
        assert failed.returncode == 1
        assert word in failed.stderr
        assert len(failed.stderr.splitlines()) == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = run("--port", str(taken.getsockname()[1]))
        assert failed.returncode == 1
        assert len(failed.stderr.splitlines()) == 1


def test_the_model_in_the_tree_is_what_the_script_makes() -> None:
    root = Path(__file__).parents[2]
    code = "import sys; sys.path.insert(0, 'training'); import train; print(train.build_model_json(), end='')"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(made) == json.loads((root / "riskscan/ai_service/model/model.json").read_text("utf-8"))
