"""Compression: what a client accepts, and that no page with something of the request in it is compressed."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import pytest

from riskscan.assets import read_asset
from riskscan.handlers.static_files import FILES
from tests.support.client import Person, Reply, form, sign_up

ACCEPTED = {"Accept-Encoding": "gzip, br"}
OWN = {**ACCEPTED, "Sec-Fetch-Site": "same-origin"}
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def visitor(guest: Person) -> Person:
    """A client that is not logged in and returns bodies as they were sent."""
    guest.session._auto_decompress = False
    return guest


def decompress(reply: Reply) -> bytes:
    """Return the content of a body, which must be in the coding that the header says."""
    decoders: dict[str | None, Callable[[bytes], bytes]] = {"br": brotli.decompress, "gzip": gzip.decompress}
    coding = reply.headers.get("Content-Encoding")
    return decoders[coding](reply.body) if coding else reply.body


def is_compressed(reply: Reply) -> bool:
    return decompress(reply) != reply.body


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("BR;q=0.5", "br"),
        ("gzip;q=0.9, br;q=0.8", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("gzip;q=0.9, identity;q=0.5", "gzip"),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("gzip;q=0, br; q=0.000, *;q=0", None),
        ("gzip;q=much", None),
        ("deflate", None),
        ("", None),
    ],
)
async def test_the_coding_is_what_the_client_prefers(
    visitor: Person, accepted: str, coding: str | None
) -> None:
    plain = await visitor.get("/static/style.css", headers={"Accept-Encoding": "identity"})
    reply = await visitor.get("/static/style.css", headers={"Accept-Encoding": accepted})
    assert reply.headers.get("Content-Encoding") == coding
    assert decompress(reply) == plain.body == read_asset("style.css")
    assert reply.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/static/style.css", "/static/vendor/pico/pico.css", "/api/openapi.json"])
async def test_each_coding_has_its_own_etag_and_is_not_sent_twice(visitor: Person, path: str) -> None:
    etags = set()
    for headers in ({"Accept-Encoding": coding} for coding in ("br", "gzip", "identity")):
        reply = await visitor.get(path, headers=headers)
        head = await visitor.request("HEAD", path, headers=headers)
        assert (head.status, head.body) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Vary"):
            assert head.headers[name] == reply.headers[name]
        assert int(reply.headers["Content-Length"]) == len(reply.body)
        # a range may be ignored, and is: of which coding it is would have to be told
        assert (await visitor.get(path, headers={**headers, "Range": "bytes=0-9"})).body == reply.body
        again = await visitor.get(
            path, headers={**headers, "If-None-Match": f'"old", {reply.headers["ETag"]}'}
        )
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", reply.headers["ETag"])
        etags.add(reply.headers["ETag"])
    assert len(etags) == 3


async def test_no_file_is_longer_than_without_a_coding(visitor: Person) -> None:
    for name, file in FILES.items():
        reply = await visitor.get(f"/static/{name}", headers=ACCEPTED)
        content = file.read()
        assert len(reply.body) <= len(content)
        assert decompress(reply) == content


async def test_a_page_is_compressed_if_nothing_of_the_request_is_in_it(visitor: Person) -> None:
    await sign_up(visitor)
    for path in ("/scan", "/scans", "/account", "/api/docs"):
        reply = await visitor.get(path, headers=OWN)
        assert is_compressed(reply)
        assert reply.headers["Content-Encoding"] == "br"
        by_gzip = await visitor.get(path, headers={**OWN, "Accept-Encoding": "gzip"})
        assert by_gzip.headers["Content-Encoding"] == "gzip"
        assert decompress(by_gzip).startswith(b"<!doctype html>") or path == "/api/docs"
        assert reply.headers["Vary"] == "Accept-Language, Cookie, Accept-Encoding, Sec-Fetch-Site"
        assert is_compressed(await visitor.get(path, headers={**ACCEPTED, "Sec-Fetch-Site": "none"}))
        # another site may have chosen when, and older browsers do not say so
        for site in ("cross-site", "same-site"):
            assert not is_compressed(await visitor.get(path, headers={**ACCEPTED, "Sec-Fetch-Site": site}))
        assert not is_compressed(await visitor.get(path, headers=ACCEPTED))


async def test_no_page_with_input_is_compressed(visitor: Person) -> None:
    await sign_up(visitor)
    queries = ["/scans?q=guess", "/scans?done=scan", "/scans/overview?category=guess", "/api/docs?guess"]
    replies = [await visitor.get(path, headers=OWN) for path in [*queries, "/guess"]]
    replies.append(await visitor.post("/scan", data=form(text=" "), headers=OWN))
    replies.append(await visitor.post("/account/tokens", data={"name": "guess"}, headers=OWN))
    assert [reply.status for reply in replies] == [200, 200, 200, 200, 404, 400, 200]
    assert not any(map(is_compressed, replies))


async def test_no_answer_of_the_api_is_compressed(visitor: Person) -> None:
    await sign_up(visitor)
    for path in (
        "/api/scans",
        "/api/scans?q=guess",
        "/api/auth/me",
        "/api/health",
        "/scans/export?format=csv",
    ):
        reply = await visitor.get(path, headers=OWN)
        assert reply.status == 200
        assert not is_compressed(reply)
