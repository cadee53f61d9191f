"""The package: what the wheel holds, and that it and a checkout serve with the locked dependencies alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")
TEXT = "The budget is tight. Tea was served."

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT)
    return next(folder.glob("riskscan-*.whl"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that holds the locked run-time dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    run(UV, "venv", "--python", sys.executable, "--allow-existing", folder)
    install(folder / "bin", "--require-hashes", "--requirement", ROOT / "requirements.txt")
    return folder / "bin"


def install(environment: Path, *options: str | Path) -> None:
    run(UV, "pip", "install", "--python", environment / "python", *options)


def source_files(folder: str) -> set[str]:
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", folder, cwd=ROOT)
    return set(listed.splitlines())


def test_the_wheel_holds_all_that_the_program_reads(wheel: Path) -> None:
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == source_files("riskscan") | {f"riskscan/{name}" for name in source_files("migrations")}


def call(url: str, body: dict[str, str], **headers: str) -> Any:
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def assert_scans(command: list[str | Path], folder: Path, data: Path) -> None:
    """Serve from `folder`, register and scan a text; the database must then be in `data`."""
    environ = {"HOME": str(folder), "PORT": "0"}  # without HOME it would write into the user's own folders
    with subprocess.Popen(
        [*command, "serve"], cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        try:
            url = re.fullmatch(r"RiskScan is on (http://\S+)\n", program.stdout.readline())[1]  # type: ignore[index]
            account = {"email": "alice@example.com", "password": "correct horse"}
            token = call(f"{url}/api/auth/register", account)["access_token"]
            scan = call(f"{url}/api/scan", {"text": TEXT}, Authorization=f"Bearer {token}")
            assert [risk["context"] for risk in scan["data"]] == ["The budget is tight."]
            with urllib.request.urlopen(f"{url}/login", timeout=60) as page:
                assert b"</html>" in page.read()
        finally:
            program.terminate()
    assert program.returncode == 0
    assert (data / "riskscan.db").exists()


def test_a_checkout_serves_with_nothing_but_its_dependencies(environment: Path, tmp_path: Path) -> None:
    assert_scans([environment / "python", ROOT / "run.py"], tmp_path, tmp_path / "data")


def test_the_installed_command_serves_from_any_folder(wheel: Path, environment: Path, tmp_path: Path) -> None:
    install(environment, "--offline", wheel)
    run(UV, "pip", "check", "--python", environment / "python")
    data = Path(
        run(environment / "riskscan", "check", env={"HOME": str(tmp_path)}).partition("DATA_DIR=")[2].strip()
    )
    assert data.is_relative_to(tmp_path)
    assert_scans([environment / "riskscan"], tmp_path, data)
