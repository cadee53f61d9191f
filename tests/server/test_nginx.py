"""deploy/nginx.conf in a real nginx, in front of the real program."""

from __future__ import annotations

import asyncio
import collections
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.support.postgres import free_port
from tests.support.process_log import ProcessLog
from tests.support.program import ROOT, Program

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
CONFIGURATION = """
user {user};
daemon off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    {paths}
    include {folder}/riskscan.conf;
}}
"""
ORIGIN = "https://app.example.com"  # of the comment in deploy/nginx.conf
LOGIN_URL = "https://login.example.com/"
# stands for Authelia: its session is a cookie
AUTHELIA = f"""
map $cookie_authelia_session $named {{
    ana ana@example.com;
}}
server {{
    listen 127.0.0.1:9091;
    location / {{
        if ($named) {{
            add_header Remote-Email $named;
            return 200;
        }}
        add_header Location {LOGIN_URL} always;
        return 401;
    }}
}}
"""
ACCOUNT = {"email": "nobody@example.com", "password": "correct horse"}

pytestmark = pytest.mark.slow


def write_configuration(folder: Path, riskscan_conf: str) -> Path:
    """Write deploy/nginx.conf, with these changes, and a main configuration that includes it."""
    (folder / "riskscan.conf").write_text(riskscan_conf)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "root" if os.geteuid() == 0 else "nobody"  # the folder is for nobody else
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION.format(folder=folder, user=user, paths=paths))
    return path


def deployed_conf() -> str:
    return (ROOT / "deploy/nginx.conf").read_text()


def documented_conf(port: int, riskscan_port: int) -> str:
    """Return the lines of docs/deploying.md for Authelia, with a stand-in for Authelia."""
    document = (ROOT / "docs/deploying.md").read_text()
    lines = document.partition("Authelia with nginx")[2].partition("```nginx\n")[2].partition("```")[0]
    conf = f"server {{\n    listen 127.0.0.1:{port};\n{lines}}}\n{AUTHELIA}"
    return conf.replace("127.0.0.1:8000", f"127.0.0.1:{riskscan_port}").replace(":9091", f":{free_port()}")


class Urls(NamedTuple):
    """The addresses of nginx: as deploy/nginx.conf has it, and with the lines for Authelia; and its log."""

    deployed: str
    authelia: str
    access_log: Path


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """The URLs of nginx in front of a program without limits of its own."""
    folder, port, other_port = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    changes = dict.fromkeys(("LOGIN_LIMIT", "REGISTER_LIMIT", "SCAN_LIMIT"), "off")
    changes |= {"TRUSTED_PROXIES": "127.0.0.1", "TRUSTED_USER_HEADER": "Remote-Email"}
    (folder / "data").mkdir()
    program = Program(
        folder / "data", {"AI_SERVICE_URL": "http://127.0.0.1:1", "BCRYPT_COST": "4", **changes}
    )
    conf = deployed_conf().replace("server app:8000 ", f"server 127.0.0.1:{program.port} ")
    conf = conf.replace("\n    listen 80;", f"\n    listen 127.0.0.1:{port};")
    conf = conf.replace(f'# "{ORIGIN}" ', f'"{ORIGIN}" ')
    access_log = folder / "access.log"
    conf = conf.replace("/var/log/nginx/access.log", str(access_log))
    conf += documented_conf(other_port, program.port)
    command = [NGINX, "-c", str(write_configuration(folder, conf))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as nginx:
        log = ProcessLog(nginx)
        log.wait_for("start worker process ")
        yield Urls(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{other_port}", access_log)
        nginx.terminate()
        nginx.wait()
        log.close()
    program.close()


@pytest.fixture(scope="module")
def url(urls: Urls) -> str:
    return urls.deployed


async def test_documented_lines_for_authelia_pass_on_nobody_else_than_its_user(urls: Urls) -> None:
    jar, forged = aiohttp.CookieJar(unsafe=True), {"Remote-Email": "bo@example.com"}
    async with aiohttp.ClientSession(urls.authelia, cookie_jar=jar, headers=forged) as session:
        guest = await session.get("/scan", allow_redirects=False)
        assert (guest.status, guest.headers["Location"]) == (302, LOGIN_URL)
        assert (await session.get("/api/auth/me")).status == 401
        assert (await session.get("/static/style.css")).status == 200
        ana = {"Cookie": "authelia_session=ana"}
        async with session.get("/account", headers=ana) as page:
            assert (page.status, "ana@example.com" in await page.text()) == (200, True)
        async with session.get("/api/auth/me") as me:  # by the cookie of RiskScan
            assert (await me.json())["email"] == "ana@example.com"


async def post_at_once(url: str, path: str, times: int) -> collections.Counter[str]:
    """Send the same request many times at once; return the number of each error, empty for none."""

    async def post(session: aiohttp.ClientSession) -> str:
        async with session.post(path, json=ACCOUNT) as response:
            error: str = (await response.json()).get("error", "")
            limited = (response.status, response.headers.get("Retry-After")) == (429, "1")
            assert limited == (error == "rate_limited")
            return error

    async with aiohttp.ClientSession(url) as session:
        return collections.Counter(await asyncio.gather(*(post(session) for _ in range(times))))


async def test_access_log_has_no_query_and_no_secret_of_a_link(urls: Urls) -> None:
    paths = ("/login/oidc/finish?code=secret-1", "/shared/secret-2", "/scans?q=secret-3", "/api/scans?q=x?y")
    async with aiohttp.ClientSession(urls.deployed) as session:
        for path in paths:
            await session.get(path, headers={"Referer": f"{urls.deployed}{path}"}, allow_redirects=False)
        while "/last" not in (log := urls.access_log.read_text()):  # it is written after the response
            await session.get("/last")
    asked = [line.split('"')[1] for line in log.partition("GET /last")[0].splitlines()[-5:-1]]
    logged = ("/login/oidc/finish", "/shared/...", "/scans", "/api/scans")
    assert asked == [f"GET {path} HTTP/1.1" for path in logged]
    assert not re.search("secret|q=", log)


async def test_nginx_compresses_nothing_more(url: str) -> None:
    headers = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "cross-site"}
    async with aiohttp.ClientSession(url, auto_decompress=False, headers=headers) as session:
        encodings = {}
        for path in ("/static/style.css", "/api/openapi.json", "/login", "/api/health/live"):
            async with session.get(path) as response:
                assert response.status == 200
                encodings[path] = response.headers.get("Content-Encoding")
    assert encodings == {
        "/static/style.css": "gzip", "/api/openapi.json": "gzip", "/login": None, "/api/health/live": None
    }  # fmt: skip


async def test_nginx_limits_log_ins_and_registrations_of_an_address(url: str) -> None:
    log_ins = await post_at_once(url, "/api/auth/login", 300)
    log_ins["invalid_credentials"] += log_ins.pop(
        "overloaded", 0
    )  # RiskScan lets 50 of a client wait for bcrypt
    assert log_ins.keys() == {"invalid_credentials", "rate_limited"}
    assert log_ins["invalid_credentials"] > 50  # the burst
    assert (await post_at_once(url, "/api/auth/register", 300))["rate_limited"] > 0
    async with aiohttp.ClientSession(url) as session:
        statuses = [(await session.get("/login")).status for _ in range(100)]
    assert statuses == [200] * 100


async def test_nginx_limits_scans_of_an_address(url: str) -> None:
    scans = await post_at_once(url, "/api/scan", 1500)
    assert scans.keys() == {"not_authenticated", "rate_limited"}
    assert scans["not_authenticated"] > 200  # the burst


async def send_until_limited(
    session: aiohttp.ClientSession, path: str, **options: Any
) -> aiohttp.ClientResponse:
    """Send the same request many times until nginx refuses one; return that response, whole."""
    while True:
        responses = await asyncio.gather(*(session.post(path, **options) for _ in range(60)))
        for response in responses:
            await response.read()
            if response.status == 429:
                return response


async def test_errors_of_nginx_have_the_shape_of_the_api(url: str) -> None:
    headers = {"Origin": ORIGIN, "X-Request-ID": "one-of-mine"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        limited = await send_until_limited(session, "/api/auth/login", json=ACCOUNT)
        assert await limited.json() == {
            "error": "rate_limited", "detail": "Too many requests. Try again in a second."
        }  # fmt: skip
        assert limited.headers["Retry-After"] == "1"
        large = await session.post("/api/scan", data=io.BytesIO(b"x" * 12_000_000))
        assert (large.status, (await large.json())["error"]) == (413, "payload_too_large")
        assert "Retry-After" not in large.headers
    for response in (limited, large):
        assert response.headers["X-Request-ID"] == "one-of-mine"
        assert response.headers.getall("Access-Control-Allow-Origin") == [ORIGIN]
        assert response.headers["Access-Control-Allow-Credentials"] == "true"


async def test_errors_of_nginx_name_no_other_origin_and_a_new_request_id(url: str) -> None:
    headers = {"Origin": "https://evil.example.com", "X-Request-ID": "not sane"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        limited = await send_until_limited(session, "/api/auth/login", json=ACCOUNT)
    assert "Access-Control-Allow-Origin" not in limited.headers
    assert re.fullmatch("[0-9a-f]{32}", limited.headers["X-Request-ID"])


async def test_page_that_nginx_refuses_says_when_to_try_again(url: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        limited = await send_until_limited(session, "/login", data={"email": "a", "password": "b"})
    assert limited.content_type == "text/html"
    assert "Try again in a second." in await limited.text()
    assert limited.headers["Retry-After"] == "1"
    assert re.fullmatch("[0-9a-f]{32}", limited.headers["X-Request-ID"])


def test_nginx_configuration_is_valid_with_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=riskscan.example.com",
    ]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    conf = deployed_conf().replace("server app:8000 ", "server 127.0.0.1:1 ").replace("\n    listen 80;", "")
    # the lines after a comment that begins with TLS, as an operator uncomments them
    conf = re.sub(
        r"(?<=# TLS: )(.*\n)((?: *# .*\n)+)", lambda block: block[1] + re.sub("# ", "", block[2]), conf
    )
    conf = re.sub(r"/etc/letsencrypt/\S+/fullchain.pem", str(certificate), conf)
    conf = re.sub(r"/etc/letsencrypt/\S+/privkey.pem", str(key), conf)
    assert "\n    listen 443 ssl;" in conf
    assert "\n    return 301 https://" in conf
    command = [NGINX, "-t", "-c", str(write_configuration(tmp_path, conf))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
