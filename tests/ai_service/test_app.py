"""The HTTP interface, the processes and the command line of the embedded AI service."""

import ast
import asyncio
import contextlib
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from riskscan.ai_service import app
from riskscan.ai_service.app import BATCH_UNITS, score_units
from riskscan.ai_service.errors import ServiceError
from riskscan.ai_service.processes import scoring_pool
from riskscan.ai_service.reading.blocks import Place
from riskscan.ai_service.scan_form import too_many_documents
from riskscan.concurrency import MemoryBudget
from tests.ai_service.service import (
    Service,
    assert_refused,
    contexts,
    install_tesseract,
    read_sample,
    run_service,
    scan,
    scan_sample,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


async def test_two_risks_in_one_sentence_are_two_findings(
    http: aiohttp.ClientSession, service: Service
) -> None:
    text = "Project has tight budget and aggressive deadline"
    status, answer = await scan(http, service, text=text)
    assert (status, answer["source"]) == (200, "model")
    assert [(item["risk"], item["category"], item["context"]) for item in answer["data"]] == [
        ("Project has tight budget", "Financial", text),
        ("Aggressive deadline", "Schedule", text),
    ]
    # of a text without pages and headings no place is known
    assert [set(item) for item in answer["data"]] == [{"risk", "category", "context", "score", "why"}] * 2


async def test_a_finding_has_its_place_a_score_and_its_reasons(
    http: aiohttp.ClientSession, service: Service
) -> None:
    risk = "Nobody has ordered a spare pump."
    tea = "\n\n".join(f"Tea number {number} was served to the guests of the pier." for number in range(70))
    text = (
        f"# 4 Pumps\n\nTea was served.\n\n{risk}\n\n{tea}\n\n## 4.2 Spares\n\n{risk}\n\nThe budget is tight."
    )
    _, answer = await scan(http, service, ("pumps.md", text.encode()))
    first, second = answer["data"]
    assert (first["context"], first["place"]) == (risk, "4 Pumps · and 1 alike: 4.2 Spares")
    assert (second["context"], second["place"]) == ("The budget is tight.", "4.2 Spares")
    for finding in answer["data"]:
        assert 0.5 < finding["score"] <= 1
        assert finding["score"] == round(finding["score"], 3)
        assert 1 < len(finding["why"]) <= 60
        for cue in finding["why"]:
            assert set(cue) == {"text", "weight", "start"}
            if cue["start"] is not None:
                assert finding["context"][cue["start"] :].startswith(cue["text"])
        odds = sum(cue["weight"] for cue in finding["why"])
        assert finding["score"] == pytest.approx(1 / (1 + math.exp(-odds)), abs=0.005)


async def test_the_first_sentence_of_a_batch_is_read_after_the_last_of_the_one_before(
    http: aiohttp.ClientSession, service: Service
) -> None:
    tea = " ".join(f"Tea number {number} was served to guests." for number in range(BATCH_UNITS))
    status, answer = await scan(http, service, text=f"{tea} The pump leaks badly and may fail.")
    assert (status, len(answer["data"])) == (200, 1)
    assert "what stands before it" in {cue["text"] for cue in answer["data"][0]["why"]}


async def test_the_numbers_of_pages_and_rows_are_in_the_place(
    http: aiohttp.ClientSession, service: Service
) -> None:
    found = await scan_sample(http, service, "contract.pdf")
    assert {finding["place"].partition(" · ")[0] for finding in found} <= {"p. 1", "p. 2"}
    found = await scan_sample(http, service, "register.csv")
    assert [finding["place"] for finding in found] == ["row 2", "row 4"]


async def test_root_describes_the_service(http: aiohttp.ClientSession, service: Service) -> None:
    async with http.get(service.url + "/") as response:
        about = await response.json()
    assert about["model"] == "built-in"
    assert about["llm_configured"] is False


async def test_pdf_contract_yields_onerous_terms_without_boilerplate(
    http: aiohttp.ClientSession, service: Service
) -> None:
    lines = contexts(await scan_sample(http, service, "contract.pdf"))
    assert "Interest of 2% per week is charged on any rent that is paid late." in lines
    assert any(line.startswith("The Lessor is not liable for standstill") for line in lines)
    assert any(line.startswith("It is renewed automatically") for line in lines)
    assert not any("governed" in line or "Notices" in line for line in lines)


async def test_word_report_yields_open_risks_including_the_table(
    http: aiohttp.ClientSession, service: Service
) -> None:
    lines = contexts(await scan_sample(http, service, "report.docx"))
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
async def test_other_encodings_and_csv_are_read(
    http: aiohttp.ClientSession, service: Service, name: str, line: str
) -> None:
    assert line in contexts(await scan_sample(http, service, name))


async def test_file_and_text_are_both_analysed(http: aiohttp.ClientSession, service: Service) -> None:
    file = ("ហានិភ័យ.md", b"# Concerns\n\n- The pump leaks badly and may fail.\n")
    status, answer = await scan(http, service, file, text="The second instalment has not been paid.")
    assert status == 200
    assert contexts(answer["data"]) == [
        "The pump leaks badly and may fail.",
        "The second instalment has not been paid.",
    ]


GERMAN = (
    "Der Lieferant der Pumpen ist zahlungsunfähig. Ohne Ersatz wird das Klärwerk im Herbst nicht fertig. "
    "Die Genehmigung für den Steg fehlt noch, und die Stadt hat bisher nicht geantwortet."
)


async def test_a_document_in_another_language_has_a_note_and_no_findings() -> None:
    with run_service(LOG_FORMAT="json") as own:
        async with aiohttp.ClientSession() as http:
            status, answer = await scan(http, own, text=GERMAN)
            assert (status, answer) == (
                200,
                {
                    "data": [],
                    "source": "model",
                    "notes": [
                        "This document is in German and was not searched for risks: the built-in analyser"
                        " reads only English and Khmer. A language model can read it: ask whoever runs this"
                        " server to set LLM_BASE_URL."
                    ],
                },
            )
            # without one there are no notes
            assert set((await scan(http, own, text="The budget is tight."))[1]) == {"data", "source"}
        events = [json.loads(line) for line in own.log().splitlines()[1:]]
    assert [event["languages"] for event in events] == ["German", "English"]


async def test_only_the_english_parts_of_a_mixed_document_are_analysed(
    http: aiohttp.ClientSession, service: Service
) -> None:
    risk = "The pump leaks badly and may fail."
    # longer than what is scored at once, so that the parts meet in different places
    report = "\n\n".join(f"Tea number {number} was served to the guests of the pier." for number in range(70))
    annex = "\n\n".join([GERMAN] * 8)
    _, answer = await scan(http, service, text=f"{report}\n\n{risk}\n\n{annex}\n\nThe budget is tight.")
    assert contexts(answer["data"]) == [risk, "The budget is tight."]
    assert answer["notes"][0].startswith("Parts of this document are in German and were not searched")
    # a quotation gives no note
    _, answer = await scan(http, service, text=f"{report}\n\n{risk} {GERMAN.split('. ')[0]}.")
    assert set(answer) == {"data", "source"}
    assert contexts(answer["data"]) == [risk]


async def test_findings_left_out_at_the_cap_are_counted_in_a_note(
    http: aiohttp.ClientSession, service: Service
) -> None:
    _, answer = await scan(http, service, text="\n\n".join(bankrupt_suppliers(200)))
    assert set(answer) == {"data", "source"}
    _, answer = await scan(http, service, text="\n\n".join(bankrupt_suppliers(300)))
    assert len(answer["data"]) == 200
    assert answer["notes"] == ["Only the surest 200 findings are shown; 100 more were left out."]


async def test_of_very_many_findings_the_note_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_CANDIDATES", 250)
    units = [[text, "sentence", "", Place()] for text in bankrupt_suppliers(300)]
    async with scoring_pool(1) as pool:
        analysis = await score_units(pool, "alice", units, "")
    assert analysis.notes == ["Only the surest 200 findings are shown; more than 50 others were left out."]


def bankrupt_suppliers(number: int) -> list[str]:
    return [
        f"Supplier {n} is bankrupt and will not deliver part {n * 7} of machine {n * 3}."
        for n in range(number)
    ]


@pytest.mark.parametrize("start", ["PKI ", "%PDF- is how a PDF begins. ", "BM: ", "GIF "])
async def test_text_that_starts_like_another_format_is_read_as_text(
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


async def test_text_with_a_few_invalid_bytes_keeps_its_encoding(
    http: aiohttp.ClientSession, service: Service
) -> None:
    line = "ថវិកាគម្រោងមិនគ្រប់គ្រាន់សម្រាប់ដំណាក់កាលទីពីរទេ។"
    _, answer = await scan(http, service, ("cut.txt", f"{line}\n\nសាលា".encode()[:-2]))
    assert line in contexts(answer["data"])


async def test_contexts_are_verbatim_including_markdown(
    http: aiohttp.ClientSession, service: Service
) -> None:
    text = "The **pump** leaks badly and may fail.\n\nថវិកា\u200bមិន\u200bគ្រប់គ្រាន់\u200bទេ។"
    _, answer = await scan(http, service, text=text)
    assert contexts(answer["data"]) == text.split("\n\n")
    assert [finding["risk"] for finding in answer["data"]] == text.split("\n\n")


async def test_unreadable_documents_are_refused_with_a_reason(
    http: aiohttp.ClientSession, service: Service
) -> None:
    assert "password" in await assert_refused(http, service, 422, read_sample("locked.pdf"))
    assert "empty" in await assert_refused(http, service, 422, ("a.txt", b""))
    assert "damaged" in await assert_refused(http, service, 422, ("a.pdf", b"%PDF-1.7 and nothing more"))
    assert "damaged" in await assert_refused(http, service, 422, ("a.pdf", b"no such thing"))
    assert "archive" in await assert_refused(http, service, 422, ("a.docx", b"PK\5\6" + bytes(18)))
    assert "not text" in await assert_refused(http, service, 422, ("a.txt", bytes(range(256)) * 20))
    assert "Provide" in await assert_refused(http, service, 422, text=" ")
    assert "force_llm" in await assert_refused(
        http, service, 422, text="The budget is tight.", force_llm="perhaps"
    )


async def test_other_content_types_methods_and_paths_are_refused(
    http: aiohttp.ClientSession, service: Service
) -> None:
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


async def test_uploads_over_the_limit_are_413_with_or_without_content_length(
    http: aiohttp.ClientSession,
) -> None:
    big = b"The budget is tight. " * 60_000
    with run_service(MAX_UPLOAD_MB="1") as small:
        assert "1 MB" in await assert_refused(http, small, 413, ("a.txt", big))

        async def unannounced() -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
            yield big

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        async with http.post(small.url + "/scan", data=unannounced(), headers=headers) as response:
            assert response.status == 413


async def test_long_document_is_scored_by_all_processes_as_by_one() -> None:
    sentences = ("Phase {} has a tight budget.", "Le fournisseur de la phase {} est en retard.", "Yes.")
    units = [[text.format(number), "sentence", "", Place()] for number in range(20) for text in sentences]
    analyses = []
    for size in (1, 2):
        async with scoring_pool(size) as pool:
            analyses.append(await score_units(pool, "alice", units, ""))
            assert len(pool._idle) == size
    assert analyses[0] == analyses[1]
    assert len(analyses[0].findings) > 1


def test_documents_of_one_user_fill_at_most_half_of_the_memory_while_others_use_it() -> None:
    budget = MemoryBudget(too_many_documents)
    half = budget.MAX_BYTES // 2
    with (
        budget.reserve("alice") as allocate,
        budget.reserve("alice") as allocate_more,
        budget.reserve("bob") as allocate_for_bob,
    ):
        allocate(half + 1)  # a single document may be larger
        allocate_for_bob(half - 2)
        with pytest.raises(ServiceError) as refused:
            allocate_more(1)
        assert (refused.value.status, refused.value.code) == (503, "overloaded")
        allocate_for_bob(1)


def test_documents_of_a_lone_user_may_fill_the_memory() -> None:
    budget = MemoryBudget(too_many_documents)
    size = budget.MAX_BYTES // 25
    with contextlib.ExitStack() as uploads:
        for _ in range(25):
            uploads.enter_context(budget.reserve("alice"))(size)
        with pytest.raises(ServiceError):
            uploads.enter_context(budget.reserve("bob"))(size)
    with budget.reserve("bob") as allocate:
        allocate(budget.MAX_BYTES)


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def wait_until_gone(pid: int) -> None:
    """Return once the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        select.select([handle], [], [])
        os.close(handle)


async def test_closing_stdin_stops_the_service_and_stdout_stays_empty(
    http: aiohttp.ClientSession,
) -> None:
    with run_service() as own:
        await scan(http, own, text="The budget is tight.")
        workers = children(own.process.pid)
        assert workers
        assert own.process.stdin
        own.process.stdin.close()
        assert own.process.wait() == 0
        assert own.process.stdout
        assert own.process.stdout.read() == b""
        for worker in workers:
            wait_until_gone(worker)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_child_processes_exit_with_the_service(
    http: aiohttp.ClientSession, number: signal.Signals
) -> None:
    with run_service() as own:
        await scan(http, own, text="The budget is tight.")
        workers = children(own.process.pid)
        own.process.send_signal(number)
        assert own.process.wait() == (0 if number == signal.SIGTERM else -number)
        for worker in workers:
            wait_until_gone(worker)


async def test_a_killed_scoring_process_is_replaced(http: aiohttp.ClientSession) -> None:
    with run_service() as own:
        await scan(http, own, text="The budget is tight.")
        for worker in children(own.process.pid):
            os.kill(worker, signal.SIGKILL)
        assert (await scan(http, own, text="The budget is tight."))[0] == 200


async def test_a_long_document_does_not_hold_up_a_short_text(http: aiohttp.ClientSession) -> None:
    with run_service(AI_WORKERS="1") as own:
        await scan(http, own, text="The budget is tight.")
        # 15 batches to identify and 15 to score; of 3,000 sentences a busy machine makes a 503 after 57 s
        long = " ".join(f"Part {n} may be late." for n in range(600))
        slow = asyncio.create_task(scan(http, own, text=long))
        short_scans = 0
        while not slow.done():
            assert (await scan(http, own, text="The budget is tight."))[0] == 200
            short_scans += 1
        status, answer = slow.result()
        assert status == 200
        assert len(answer["data"]) <= 200
        # a short scan is four operations, each of which waits for one batch; else it would be the only one
        assert short_scans > 3


def test_invalid_settings_and_a_taken_port_are_reported_in_one_line() -> None:
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "riskscan.ai_service", *arguments]
        return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)

    for env, word in (
        ({"MAX_UPLOAD_MB": "ten"}, "MAX_UPLOAD_MB"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
        ({"LLM_BASE_URL": "localhost"}, "LLM_BASE_URL"),
        ({"LLM_BASE_URL": "http://localhost:1/v1", "LLM_MODEL": ""}, "LLM_MODEL"),
        ({"LLM_PARALLEL": "0"}, "LLM_PARALLEL"),
    ):
        failed = run("--port", "0", **env)
        assert failed.returncode == 1
        assert word in failed.stderr
        assert len(failed.stderr.splitlines()) == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = run("--port", str(taken.getsockname()[1]))
        assert failed.returncode == 1
        assert len(failed.stderr.splitlines()) == 1


async def test_log_lines_are_json_with_the_request_id_and_no_data() -> None:
    refused = ("merger-with-acme.pdf", b"%PDF-1.7 and nothing more")
    with run_service(LOG_FORMAT="json") as own:
        async with aiohttp.ClientSession(headers={"X-Request-ID": "my-id"}) as http:
            assert (await scan(http, own, text="Acme may go bankrupt."))[0] == 200
            await assert_refused(http, own, 422, refused)
            await assert_refused(http, own, 503, text="Acme may go bankrupt.", force_llm="true")
        log = own.log()
    start, *events = [json.loads(line) for line in log.splitlines()]
    assert start["message"].startswith("listening on ")
    assert [event["request_id"] for event in events] == ["my-id"] * 3
    assert (events[0]["sentences"], events[0]["findings"], events[0]["source"]) == (1, 1, "model")
    assert [(event["level"], event["status"], event["error"]) for event in events[1:]] == [
        ("INFO", 422, "unreadable_document"),
        ("WARNING", 503, "llm_not_configured"),
    ]
    assert "acme" not in log.lower()


async def test_log_level_holds(http: aiohttp.ClientSession) -> None:
    with run_service(LOG_LEVEL="warning") as own:
        assert (await scan(http, own, text="The budget is tight."))[0] == 200
        assert own.log() == ""


async def test_dead_reader_is_logged_with_its_exit_status(tmp_path: Path) -> None:
    path = install_tesseract(tmp_path, "kill -9 $PPID")
    with run_service(LOG_FORMAT="json", PATH=path) as own:
        async with aiohttp.ClientSession(headers={"X-Request-ID": "my-id"}) as http:
            await assert_refused(http, own, 422, read_sample("scan.png"))
        event = json.loads(own.log().splitlines()[-1])
    assert (event["cause"], event["request_id"]) == ("the reader failed: exit status -9", "my-id")


def test_model_json_is_what_training_produces() -> None:
    code = "from training import train; print(train.build_model_json(), end='')"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(made) == json.loads((ROOT / "riskscan/ai_service/model/model.json").read_text("utf-8"))


def test_the_service_imports_only_small_modules_of_riskscan() -> None:
    imported = set()
    for path in (ROOT / "riskscan" / "ai_service").rglob("*.py"):
        package = ".".join(path.relative_to(ROOT).parent.parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                module = resolve_name("." * node.level + (node.module or ""), package)
                imported |= {f"{module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    outside = {
        name
        for name in imported
        if name.startswith("riskscan.") and not name.startswith("riskscan.ai_service.")
    }
    shared = (
        "riskscan.concurrency.",
        "riskscan.errors.",
        "riskscan.file_types.",
        "riskscan.logs.",
        "riskscan.shared_metrics.",
        "riskscan.text.",
    )
    names = {name for name in outside if not name.startswith(shared)}
    assert names == {"riskscan.PACKAGE", "riskscan.__version__", "riskscan.logs"}
