"""The whole program: `python run.py` with its processes, signals and log."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.ai_service.service import SAMPLES as AI_SAMPLES
from tests.ai_service.service import EndlessTesseract, install_tesseract
from tests.support.application import SAMPLES, SECRET
from tests.support.monitoring import find_metrics, list_described_metrics
from tests.support.postgres import Postgres, database_name, free_port
from tests.support.program import (
    ROOT,
    Program,
    Start,
    curl,
    get,
    needs_access_to_processes,
    register_and_log_in,
    run_command,
    run_curl,
    scan,
    scan_command,
)

pytestmark = pytest.mark.slow

TEXT = "Project has tight budget and aggressive deadline"


def test_one_command_starts_a_working_product(start: Start, environ: dict[str, str]) -> None:
    program = start(**environ)
    token = register_and_log_in(program.url)
    first = scan(program.url, token, f"text={TEXT}")
    assert {risk["category"] for risk in first["data"]} >= {"Financial", "Schedule"}
    assert {risk["context"] for risk in first["data"]} == {TEXT}
    assert (first["source"], first["risk_count"]) == ("model", len(first["data"]))
    assert get(program.url, token, f"/api/scans/{first['scan_id']}") == first
    for name in ("charter.pdf", "charter.docx"):
        document = scan(program.url, token, f"file=@{SAMPLES / name}")
        assert document["filename"] == name
        assert document["risk_count"] >= 2
        text = (SAMPLES / "charter.txt").read_text()
        assert all(risk["context"] in text for risk in document["data"])
    assert get(program.url, token, "/api/scans")["total"] == 3
    assert get(program.url, token, "/api/health")["status"] == "ok"
    assert program.stop() == 0
    assert "Traceback" not in program.log
    assert "test123" not in program.log
    assert "test@test.com" not in program.log
    assert token not in program.log


def test_postgresql_socket_is_used_as_the_operating_system_user(start: Start, postgres: Postgres) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    postgres.create_role(user)
    url = postgres.socket_url(database_name(postgres.create_database()))
    environ = {"DATABASE_URL": url, "JWT_SECRET": SECRET}
    assert f"&user={user}\n" in run_command("check", **environ).stdout
    assert re.fullmatch(r"[1-9]\d* migrations applied\n", run_command("migrate", **environ).stdout)
    program = start(**environ)
    token = register_and_log_in(program.url)
    assert get(program.url, token, "/api/scans")["total"] == 0
    assert "Traceback" not in program.log


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("", 'database "missing" does not exist'),
        ("&user=nobody", "Peer authentication failed for user"),
        ("&host=/nowhere", "No such file or directory"),
        ("&host=127.0.0.1&sslmode=verify-full", "server does not support SSL"),
        ("&sslmode=nonsense", "invalid sslmode value"),
    ],
)
def test_database_that_cannot_be_reached_is_named_in_one_line(
    start: Start, postgres: Postgres, options: str, cause: str
) -> None:
    postgres.create_role(pwd.getpwuid(os.geteuid()).pw_name)
    environ = {"DATABASE_URL": f"{postgres.socket_url('missing')}{options}", "JWT_SECRET": SECRET}
    completed = run_command("migrate", **environ)
    assert completed.returncode == 1
    assert completed.stderr.startswith("riskscan: the database cannot be reached: ")
    assert cause in completed.stderr
    assert completed.stderr.count("\n") == 1
    program = start(**environ)
    program.wait_for(f"waiting for the database: .*{cause}")
    assert "Traceback" not in program.log


def test_unreadable_document_is_explained(start: Start, tmp_path: Path) -> None:
    program = start()
    token = register_and_log_in(program.url)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing more")
    error = scan(program.url, token, f"file=@{tmp_path / 'broken.pdf'}")
    assert error["error"] == "ai_service_error"
    assert "PDF" in error["detail"]


def test_worker_marks_documents_and_reads_edited_exports(start: Start, tmp_path: Path) -> None:
    """Unlike the servers of other tests, a worker runs on uvloop."""
    program = start()
    token = register_and_log_in(program.url)
    authorization = ("-H", f"Authorization: Bearer {token}")
    document, exported = tmp_path / "plan.txt", tmp_path / "export.csv"
    document.write_text(TEXT)
    scanned = scan(program.url, token, f"file=@{document}")
    path = f"{program.url}/api/scans/{scanned['scan_id']}"
    assert "<mark" in run_curl(*authorization, "-F", f"file=@{document}", f"{path}/mark")
    exported.write_text(run_curl(*authorization, f"{path}/export?format=csv"))
    answer = curl(*authorization, "-F", f"file=@{exported}", f"{program.url}/api/reviews/import")
    assert answer["unchanged_count"] == scanned["risk_count"]


def test_standalone_ai_service_can_be_used(start: Start, environ: dict[str, str]) -> None:
    port = str(free_port())
    command = [sys.executable, "-m", "riskscan.ai_service", "--port", port]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as service:
        try:
            program = start(AI_SERVICE_URL=f"http://127.0.0.1:{port}", **environ)
            token = register_and_log_in(program.url)
            while "error" in (reply := scan(program.url, token, f"text={TEXT}")):
                assert reply["error"] == "ai_service_unavailable"  # until it listens
            assert reply["risk_count"] >= 2
            assert len(program.children()) == 1  # only the worker; no embedded AI service was started
        finally:
            service.terminate()


def test_returned_scan_survives_kill_9(start: Start, environ: dict[str, str]) -> None:
    program = start(**environ)
    token = register_and_log_in(program.url)
    made = scan(program.url, token, f"text={TEXT}")
    program.kill()
    again = start(**environ)
    assert get(again.url, token, f"/api/scans/{made['scan_id']}") == made


def test_child_processes_exit_when_the_parent_is_killed(start: Start) -> None:
    program = start()
    token = register_and_log_in(program.url)
    scan(program.url, token, f"text={TEXT}")
    children = program.children()
    assert len(children) >= 2
    program.process.kill()
    psutil.wait_procs(children)


def test_dead_worker_and_ai_service_are_restarted(start: Start) -> None:
    program = start()
    token = register_and_log_in(program.url)
    program.ai_service().kill()
    assert scan(program.url, token, f"text={TEXT}")["risk_count"] >= 2
    worker = program.worker()
    worker.kill()
    worker.wait()
    assert get(program.url, token, "/api/scans")["total"] == 1  # the socket stays open, so the request waited
    assert program.stop() == 0


@needs_access_to_processes
def test_other_users_of_the_machine_cannot_reach_the_ai_service(start: Start, tmp_path: Path) -> None:
    program = start()
    token = register_and_log_in(program.url)
    assert scan(program.url, token, f"text={TEXT}")["risk_count"] >= 2
    service = program.ai_service()
    assert service.net_connections("inet") == []
    listening = {Path(connection.laddr) for connection in service.net_connections("unix") if connection.laddr}
    (folder,) = {path.parent for path in listening}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert get(program.url, token, "/api/health")["ai_service_healthy"]
    assert program.stop() == 0
    assert not folder.exists()


def test_slow_documents_of_one_user_do_not_hold_up_another(start: Start, tmp_path: Path) -> None:
    tesseract = EndlessTesseract(tmp_path)
    program = start(WORKERS="2", PATH=tesseract.path)
    alice, bob = (register_and_log_in(program.url, email) for email in ("alice@test.com", "bob@test.com"))
    slow = scan_command(program.url, alice, f"file=@{AI_SAMPLES / 'scan.png'}")
    images = [subprocess.Popen(slow, stdout=subprocess.DEVNULL) for _ in range(8)]
    with contextlib.closing(tesseract):
        tesseract.wait_for_starts(2)
    assert scan(program.url, bob, f"file=@{SAMPLES / 'charter.pdf'}")["risk_count"] >= 2
    readers = [child for child in program.children() if "riskscan.ai_service.reader" in child.cmdline()]
    assert len(readers) == 2
    assert [image.poll() for image in images] == [None] * 8
    for image in images:
        image.kill()
        image.wait()


def test_ai_service_works_with_a_long_temporary_folder(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    program = start(TMPDIR=str(folder))
    token = register_and_log_in(program.url)
    assert scan(program.url, token, f"text={TEXT}")["risk_count"] >= 2


def test_several_workers_start_together_on_an_empty_database(start: Start, environ: dict[str, str]) -> None:
    program = start(WORKERS="3", **environ)
    token = register_and_log_in(program.url)
    for _ in range(20):
        assert get(program.url, token, "/api/auth/me")["email"] == "test@test.com"
    assert len(program.workers()) == 3
    assert program.stop() == 0
    assert program.log.count("RiskScan is on") == 1
    assert "starting another" not in program.log
    assert "Traceback" not in program.log


def test_metrics_cover_all_workers_and_survive_a_restart(start: Start) -> None:
    token = "a-token-of-the-tests"
    program = start(WORKERS="2", METRICS_TOKEN=token, LOGIN_LIMIT="1/hour")
    access = register_and_log_in(program.url)

    def scrape() -> str:
        return run_curl("-H", f"Authorization: Bearer {token}", f"{program.url}/metrics")

    def sample(name: str) -> float:
        metrics = scrape()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)[1])  # type: ignore[index]

    def send_20_requests() -> None:
        for _ in range(20):
            get(program.url, access, "/api/auth/me")

    def wait_for_both_samples() -> None:
        while (connections := sample(most)) != 8:  # 4 per worker, sampled once a second
            assert connections < 8

    me = 'riskscan_requests_total{method="GET",route="/api/auth/me",status="200"}'
    most = 'riskscan_database_connections{what="most"}'
    send_20_requests()
    assert {sample(me) for _ in range(10)} == {20}
    wait_for_both_samples()
    assert scan(program.url, access, f"text={TEXT}")["risk_count"] >= 2
    assert sample('riskscan_ai_service_scans_total{outcome="ok"}') == 1
    assert sample('riskscan_ai_service_under_way{what="scans"}') == 0
    for _ in range(2):  # the second is refused by LOGIN_LIMIT
        run_curl("--data", "username=x&password=wrong horse", f"{program.url}/api/auth/login")
    while 'riskscan_resident_memory_bytes{what="ai_service"}' not in (exposed := scrape()):
        pass  # sampled once a second
    names = set(re.findall(r"^(\w+)", exposed, re.MULTILINE))
    assert find_metrics() - names == set()
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in names} == list_described_metrics()
    worker = program.worker()
    worker.kill()
    worker.wait()
    program.wait_for("starting another")
    send_20_requests()
    assert sample(me) == 40
    wait_for_both_samples()
    assert program.stop() == 0


def test_sigterm_completes_requests_in_flight(start: Start, held: PausedAiService) -> None:
    program = start(AI_SERVICE_URL=held.url)
    token = register_and_log_in(program.url)
    command = scan_command(program.url, token, "text=x")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        held.wait_for_call()
        kept_alive = http.client.HTTPConnection("127.0.0.1", program.port)
        assert get_live(kept_alive) == (200, {"status": "ok"})
        program.process.send_signal(signal.SIGTERM)
        wait_until_refused(program.port)
        status, refused = get_live(kept_alive)
        kept_alive.close()
        assert (status, refused["error"]) == (503, "shutting_down")
        held.respond()
        assert json.loads(client.communicate()[0])["data"] == []
    assert program.process.wait() == 0


def get_live(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    connection.request("GET", "/api/health/live")
    answer = connection.getresponse()
    return answer.status, json.load(answer)


def test_sigterm_completes_an_upload_to_the_embedded_service(start: Start) -> None:
    program = start()
    token = register_and_log_in(program.url)
    body = json.dumps({"text": TEXT}).encode()
    head = (
        f"POST /api/scan HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", program.port)) as client:
        client.sendall(head)
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        program.process.send_signal(signal.SIGTERM)
        wait_until_refused(program.port)
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert program.process.wait() == 0


def test_second_sigterm_exits_immediately(start: Start, held: PausedAiService) -> None:
    program = start(AI_SERVICE_URL=held.url)
    token = register_and_log_in(program.url)
    command = scan_command(program.url, token, "text=x")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as client:
        held.wait_for_call()
        program.process.send_signal(signal.SIGTERM)
        wait_until_refused(program.port)
        program.process.send_signal(signal.SIGTERM)
        program.process.wait()
        assert client.wait() != 0  # cut off; after the first alone it would be sent a 503 in the end


class PausedAiService:
    """An AI service on a raw socket that holds its only call until `respond()`."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        self._call.close()
        self._server.close()

    def wait_for_call(self) -> None:
        self._call, _ = self._server.accept()
        received = b""
        while not received.endswith(b"--\r\n"):
            received += self._call.recv(65536)

    def respond(self) -> None:
        body = b'{"data": [], "source": "model"}'
        self._call.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@pytest.fixture
def held() -> Iterator[PausedAiService]:
    with contextlib.closing(PausedAiService()) as service:
        yield service


def wait_until_refused(port: int) -> None:
    """Wait until new connections are refused."""
    status = 0
    while status != errno.ECONNREFUSED:
        with socket.socket() as client:
            status = client.connect_ex(("127.0.0.1", port))


def test_10_mb_upload_needs_little_memory(start: Start, tmp_path: Path, held: PausedAiService) -> None:
    program = start(AI_SERVICE_URL=held.url)
    token = register_and_log_in(program.url)
    (tmp_path / "big.txt").write_bytes(b"0123456789abcdef" * (10 * 1024 * 1024 // 16))
    command = scan_command(program.url, token, f"file=@{tmp_path / 'big.txt'}")
    worker = program.worker()
    before = worker.memory_info().rss
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        held.wait_for_call()
        held.respond()
        assert json.loads(client.communicate()[0])["filename"] == "big.txt"
    status = Path(f"/proc/{worker.pid}/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    assert peak - before < 25 * 1024 * 1024


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PORT": "many"}, "PORT"),
        ({"DATABASE_URL": "mysql://u@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@h/d"}, "JWT_SECRET"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
    ],
)
def test_invalid_setting_aborts_startup_with_one_line(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    completed = run_command(DATA_DIR=str(tmp_path), **environ)
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert completed.stderr.startswith(f"riskscan: {named} ")
    assert completed.stderr.count("\n") == 1


def test_check_shows_the_settings_with_secrets_masked(tmp_path: Path) -> None:
    completed = run_command(
        "check", DATA_DIR=str(tmp_path), DATABASE_URL="postgres://u:hidden@h/d", JWT_SECRET=SECRET
    )
    assert completed.returncode == 0
    assert "DATABASE_URL=postgresql://u:********@h/d" in completed.stdout
    assert "JWT_SECRET=********" in completed.stdout
    assert "PORT=8000" in completed.stdout
    assert "hidden" not in completed.stdout + completed.stderr
    assert SECRET not in completed.stdout + completed.stderr


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_misspelled_settings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    others = "".join(f"{name}=x\n" for name in ("HOSTNAME", "LOG_FILE", "PG_PORT", "RATE_LIMIT", "TIMEOUT"))
    (tmp_path / ".env").write_text(f"{others}MAX_UPLOAD_SIZE=5\nport=1\nSCAN_LIMIT=off\nDATA_DIR=data\n")
    completed = run_command(
        command, CORS_ORIGIN="http://a.example", POSTGRES_PORT="1", AI_SERVICE_PORT="tcp://x"
    )
    assert completed.returncode == 0
    assert re.findall(r"(\w+) is not a setting: did you mean (\w+)\?", completed.stderr) == [
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("MAX_UPLOAD_SIZE", "MAX_UPLOAD_MB"),
        ("port", "PORT"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has seccomp")
def test_check_says_that_document_readers_have_no_network(tmp_path: Path) -> None:
    embedded = run_command("check", DATA_DIR=str(tmp_path))
    assert embedded.stdout.startswith("document readers: no network\n")
    assert "readers" not in run_command("check", DATA_DIR=str(tmp_path), AI_SERVICE_URL="http://h").stdout


def test_data_is_stored_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run_command("check").stdout.splitlines()
    assert f"DATA_DIR={tmp_path / 'data'}" in shown
    assert f"DATABASE_URL=sqlite:///{tmp_path / 'data' / 'riskscan.db'}" in shown


def test_ai_service_has_the_settings_of_the_env_file(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_BASE_URL=nonsense\n")
    start().wait_for("LLM_BASE_URL must be an http:// or https:// URL")


@needs_access_to_processes
def test_secrets_do_not_reach_the_ai_service_and_its_readers(start: Start, tmp_path: Path) -> None:
    names = {"DATABASE_URL", "JWT_SECRET", "METRICS_TOKEN"}
    (tmp_path / ".env").write_text("METRICS_TOKEN=a-token-of-the-tests\nLLM_API_KEY=sk-test\n")
    # Tesseract gets the environment of the reader, which starts it
    path = install_tesseract(tmp_path, f"env -0 > {tmp_path}/environ-of-the-reader; exit 1")
    program = start(PATH=path, JWT_SECRET=SECRET, DATABASE_URL=f"sqlite:///{tmp_path}/riskscan.db")
    token = register_and_log_in(program.url)
    scan(program.url, token, f"text={TEXT}")
    scan(program.url, token, f"file=@{AI_SAMPLES / 'scan.png'}")
    service = program.ai_service()
    assert names & service.environ().keys() == set()
    assert service.environ()["LLM_API_KEY"] == "sk-test"
    scorers = service.children()
    assert scorers
    environs = [set(scorer.environ()) for scorer in scorers]
    environs.append(set(re.findall(r"([^=\0]+)=[^\0]*\0", (tmp_path / "environ-of-the-reader").read_text())))
    for environ in environs:
        assert "PATH" in environ
        assert (names | {"LLM_API_KEY", "DATA_DIR"}) & environ == set()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep what /proc shows to themselves")
def test_readers_cannot_read_environment_and_memory_of_other_processes(tmp_path: Path) -> None:
    unprivileged = tmp_path / "run.py"  # root without capabilities has no more rights than another user
    unprivileged.write_text(
        "import ctypes, os, sys\n"
        "PR_CAPBSET_DROP = 24\n"
        "for capability in range(64): ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)\n"
        f"os.execv(sys.executable, [sys.executable, {str(ROOT / 'run.py')!r}])\n"
    )
    tesseract = tmp_path / "tesseract.py"
    tesseract.write_text(
        "import glob, os, sys\n"
        "print(f'/proc/{os.getppid()}/reader')\n"
        "for path in glob.glob('/proc/*/environ') + glob.glob('/proc/*/mem'):\n"
        "    try: open(path, 'rb').close()\n"
        "    except OSError: continue\n"
        "    print(path)\n"
        "sys.exit(1)\n"
    )
    path = install_tesseract(tmp_path, f"exec {sys.executable} {tesseract} >> {tmp_path}/readable")
    with contextlib.closing(Program(tmp_path, {"PATH": path}, unprivileged)) as program:
        token = register_and_log_in(program.url)
        scan(program.url, token, f"text={TEXT}")  # starts a scoring process
        scan(program.url, token, f"file=@{AI_SAMPLES / 'scan.png'}")
        processes = {str(process.pid) for process in (program.process, *program.children())}
    readable = set(re.findall(r"/proc/(\w+)/(\w+)", (tmp_path / "readable").read_text()))
    readers = {(pid, name) for pid, name in readable if name == "reader"}
    assert len(processes) == 4
    assert len(readers) == 1
    assert {("self", "environ"), ("self", "mem")} <= readable
    assert [pid for pid, _ in readable - readers if pid in processes | dict(readers).keys()] == []


def test_one_request_id_is_in_the_log_lines_of_both_programs(start: Start) -> None:
    program = start(LOG_FORMAT="json")
    token = register_and_log_in(program.url)
    run_curl("-H", "X-Request-ID: my-id", *scan_command(program.url, token, f"text={TEXT}")[2:])
    program.wait_for(r'"riskscan\.access".*"my-id"')
    events = [json.loads(line) for line in program.log.splitlines() if '"my-id"' in line]
    assert {event["logger"] for event in events} == {"riskscan.access", "riskscan.ai_service.app"}


def test_migrate_command_is_idempotent(tmp_path: Path) -> None:
    first, second = (
        run_command("migrate", DATA_DIR=str(tmp_path)),
        run_command("migrate", DATA_DIR=str(tmp_path)),
    )
    assert re.fullmatch(r"[1-9]\d* migrations applied\n", first.stdout)
    assert second.stdout == "0 migrations applied\n"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_all_addresses_of_both_families_are_served(start: Start) -> None:
    program = start(HOST="::", AI_SERVICE_URL="http://127.0.0.1:1", REGISTER_LIMIT="1/hour", BCRYPT_COST="4")
    assert re.fullmatch(r"http://\[::\]:\d+", program.url)
    statuses = []
    for number, host in enumerate(("127.0.0.1", "127.0.0.1", "[::1]", "[::1]")):
        # from an IPv4 proxy as from one of IPv6, each client has a limit of its own
        arguments = ["-o", "/dev/null", "-w", "%{http_code} ", "-H", f"X-Forwarded-For: 203.0.113.{number}"]
        account = f"email={number}@example.com&password=correct horse"
        url = f"http://{host}:{program.port}/api/auth/register"
        statuses.append(run_curl(*arguments, "-d", account, url))
    assert statuses == ["201 "] * 4


def accepts_connections(worker: psutil.Process, port: int) -> bool:
    """Return whether the event loop of a worker waits for connections to the port (epoll, proc(5))."""
    listening = {
        each.fd for each in worker.net_connections() if each.status == "LISTEN" and each.laddr.port == port
    }
    infos = []
    for file in Path(f"/proc/{worker.pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            infos.append(file.read_text())
    return not listening.isdisjoint(
        int(fd) for fd in re.findall(r"^tfd:\s+(\d+)", "".join(infos), re.MULTILINE)
    )


@needs_access_to_processes
@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_when_all_workers_serve_and_when_they_stop(
    start: Start, tmp_path: Path, abstract: bool
) -> None:
    address = f"riskscan-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{address}" if abstract else address)
        systemd.settimeout(60)
        program = start(NOTIFY_SOCKET=f"@{address}" if abstract else address, WORKERS="3")
        assert systemd.recv(100) == b"READY=1"
        assert [accepts_connections(worker, program.port) for worker in program.workers()] == [True] * 3
        worker = program.worker()
        worker.kill()
        worker.wait()
        program.wait_for("starting another")
        assert program.stop() == 0
        assert systemd.recv(100) == b"STOPPING=1"  # the new worker is no second start


def test_systemd_is_not_told_of_workers_that_cannot_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "riskscan.db").write_text("not a database, but a text that is long enough to look at")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        program = start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert program.process.wait() == 1
        assert systemd.recv(100) == b"STOPPING=1"


def test_systemd_is_not_told_of_workers_that_serve_after_sigterm(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(
        "import functools, os, signal, socket\n"
        "from riskscan.server.supervisor import Supervisor, Worker\n"
        "def work():\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "    signal.sigwait([signal.SIGTERM])\n"
        "    os.write(supervisor.serving_w, bytes([1]))\n"
        "    return 0\n"
        "starters = {'worker 1': functools.partial(Worker, work)}\n"
        "supervisor = Supervisor(starters, socket.create_server(('127.0.0.1', 0)), 1)\n"
        "raise SystemExit(supervisor.run())\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PYTHONPATH": str(ROOT)}
        assert (
            subprocess.run([sys.executable, tmp_path / "late.py"], env=environ, check=False).returncode == 0
        )
        assert systemd.recv(100) == b"STOPPING=1"
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(100)


class UnixSocket:
    """A program that listens on a Unix socket, and requests to it as from a proxy."""

    def __init__(self, start: Start, path: Path, **environ: str) -> None:
        self.path = path
        self.program = start(
            HOST=f"unix:{path}", AI_SERVICE_URL="http://127.0.0.1:1", BCRYPT_COST="4", **environ
        )

    async def request(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.path))) as session,
            session.request(method, f"http://riskscan.example{path}", **options) as response,
        ):
            return response

    async def register(self, number: int, forwarded: str) -> int:
        account = {"email": f"{number}@example.com", "password": "correct horse"}
        headers = {"X-Forwarded-For": forwarded}
        return (await self.request("POST", "/api/auth/register", json=account, headers=headers)).status


async def test_unix_socket_is_served_until_sigterm(start: Start, tmp_path: Path) -> None:
    served = UnixSocket(start, tmp_path / "riskscan.sock")
    assert served.program.url == f"unix:{served.path}"
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o660
    assert (await served.request("GET", "/api/health/live")).status == 200
    assert served.program.stop() == 0
    assert not served.path.exists()


async def test_proxy_on_the_unix_socket_reports_client_and_scheme(start: Start, tmp_path: Path) -> None:
    served = UnixSocket(start, tmp_path / "riskscan.sock", REGISTER_LIMIT="1/hour")
    clients = ["203.0.113.1", "203.0.113.2", "203.0.113.2", "203.0.113.9, 203.0.113.1"]
    assert [await served.register(*each) for each in enumerate(clients)] == [201, 201, 429, 429]
    live = await served.request("GET", "/api/health/live", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" in live.headers


async def test_unix_socket_of_a_killed_process_is_replaced(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "riskscan.sock"
    killed = UnixSocket(start, path).program
    children = killed.children()
    killed.process.kill()
    psutil.wait_procs(children)
    assert path.exists()
    assert (await UnixSocket(start, path).request("GET", "/api/health/live")).status == 200


def test_unix_socket_in_use_is_reported_in_one_line(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "riskscan.sock"
    served = UnixSocket(start, path)
    (tmp_path / "file").write_text("not a socket")
    for taken in (path, tmp_path / "file", tmp_path / "missing" / "riskscan.sock"):
        completed = run_command(DATA_DIR=str(tmp_path), HOST=f"unix:{taken}")
        assert completed.returncode == 1
        assert completed.stderr.startswith(f"riskscan: cannot listen on HOST=unix:{taken}: ")
        assert completed.stderr.count("\n") == 1
    assert (tmp_path / "file").read_text() == "not a socket"
    assert served.program.stop() == 0


def test_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        completed = run_command(DATA_DIR=str(tmp_path), PORT=str(taken.getsockname()[1]))
    assert completed.returncode == 1
    assert "PORT" in completed.stderr
    assert completed.stderr.count("\n") == 1
