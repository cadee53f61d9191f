"""Request bodies: uploads, malformed bodies, limits (API.md, POST /api/scan and Statuses)."""

from __future__ import annotations

import asyncio
import codecs
import io
import zipfile
from typing import Any

import aiohttp
import pytest

from riskscan.file_types import EXTENSIONS, NEVER_TEXT, SIGNATURES
from riskscan.request.uploads import sanitize_filename
from tests.support.ai import Ai
from tests.support.application import SAMPLES, Server
from tests.support.client import Person, assert_error, form

MB = 1024 * 1024


@pytest.mark.parametrize("extension", EXTENSIONS)
async def test_every_file_type_is_accepted_in_any_case(alice: Person, extension: str) -> None:
    name = f"Plan{extension.upper()}"
    for head in SIGNATURES[extension] or (b"plain",):
        assert (await alice.scan(file=(name, head + b" rest")))["filename"] == name


@pytest.mark.parametrize("extension", [extension for extension, known in SIGNATURES.items() if not known])
async def test_text_with_the_content_of_another_type_is_refused(alice: Person, extension: str) -> None:
    for head in NEVER_TEXT:
        reply = await alice.post("/api/scan", data=form(file=(f"plan{extension}", head + b" rest")))
        assert_error(reply, 400, "unsupported_file_type", file=...)


async def test_zip_of_another_type_than_its_name_is_passed_on(alice: Person, ai: Ai) -> None:
    """The signature of Office files is that of ZIP; the AI service tells them apart."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("xl/workbook.xml", "<workbook/>")
    await alice.scan(file=("plan.docx", content.getvalue()))
    assert ai.calls[0].parts["file"].body == content.getvalue()


@pytest.mark.parametrize("name", ["run.exe", "pdf", "plan", "plan.pdf.zip", "plan.doc", ".pdf.", "a.svg"])
async def test_other_file_types_are_refused(alice: Person, ai: Ai, name: str) -> None:
    reply = await alice.post("/api/scan", data=form(file=(name, b"%PDF-1.7")))
    assert_error(reply, 400, "unsupported_file_type", file=...)
    assert ai.calls == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.pdf", b"PK\x03\x04"),
        ("plan.pdf", b"x" * 2000 + b"%PDF-"),
        ("plan.docx", b"%PDF-1.7"),
        ("plan.png", b"\xff\xd8\xff"),
        ("plan.jpg", b"GIF89a"),
        ("plan.tif", b"text"),
        ("plan.txt", b"%PDF-1.7"),
        ("plan.csv", b"PK\x03\x04"),
        ("plan.md", b"\x89PNG\r\n\x1a\n"),
    ],
)
async def test_content_that_contradicts_its_extension_is_refused(
    alice: Person, ai: Ai, name: str, content: bytes
) -> None:
    reply = await alice.post("/api/scan", data=form(file=(name, content)))
    assert_error(reply, 400, "unsupported_file_type", file=...)
    assert ai.calls == []


@pytest.mark.parametrize("sample", ["charter.pdf", "charter.docx", "charter.txt"])
async def test_real_document_is_forwarded_unchanged(alice: Person, ai: Ai, sample: str) -> None:
    content = (SAMPLES / sample).read_bytes()
    await alice.scan(file=(sample, content))
    assert ai.calls[0].parts["file"].body == content


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\dir\\plan.txt", "plan.txt"),
        ("dir/ផែនការ.txt", "ផែនការ.txt"),
        ("a\x00b\x1f\x7fc.txt", "abc.txt"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
        ("  plan.txt ", "plan.txt"),
        ("\udce9.txt", "\ufffd.txt"),
        ("plan\u202efdp.txt\u2069", "planfdp.txt"),
        ("x" * 254 + " y", "x" * 254),
        ("", ""),
    ],
)
def test_filename_is_sanitized(sent: str, kept: str) -> None:
    assert sanitize_filename(sent) == kept


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"document": "The pier may sink."}},
        {"data": {"document": "The pier may sink."}},
        {"files": {"document": ("plan.txt", b"The pier may sink.")}},
    ],
    ids=["json", "urlencoded", "multipart"],
)
async def test_unknown_fields_are_named_if_the_known_ones_are_missing(
    alice: Person, options: dict[str, Any]
) -> None:
    if "files" in options:
        options = {"data": form(**options["files"])}  # made here, because a form can be sent only once
    detail = assert_error(await alice.post("/api/scan", **options), 400, "invalid_request")
    assert detail == "Provide a file or text to scan. Unknown field: “document”. Did you mean “file”?"


async def test_unknown_field_is_named_beside_a_required_one(guest: Person) -> None:
    reply = await guest.post("/api/auth/register", json={"mail": "alice@example.com", "password": "x"})
    assert_error(reply, 400, "invalid_request")
    assert "Unknown field: “mail”. Did you mean “email”?" in reply.json["fields"]["email"]


async def test_byte_order_mark_before_json_is_skipped(alice: Person) -> None:
    body = codecs.BOM_UTF8 + b'{"text": "The pier may sink."}'
    assert (await alice.post("/api/scan", data=body, headers=JSON)).status == 200
    reply = await alice.post("/api/reviews", data=codecs.BOM_UTF8 + b"[{}]", headers=JSON)
    assert "scan_id" in reply.json["fields"]


async def test_slash_at_the_end_of_an_address_is_mentioned(alice: Person) -> None:
    detail = assert_error(await alice.get("/api/scans/"), 404, "not_found")
    assert detail == "This address does not exist. Leave out the slash at its end."


BOUNDARY = "frontier"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def multipart_part(head: bytes, body: bytes = b"x") -> bytes:
    return b"--frontier\r\n" + head + b"\r\n\r\n" + body + b"\r\n"


TEXT = b'Content-Disposition: form-data; name="text"'
FILE = b'Content-Disposition: form-data; name="file"; filename="%b"'
END = b"--frontier--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        multipart_part(TEXT),
        multipart_part(TEXT) + b"--frontier",
        multipart_part(b"Content-Disposition: attachment") + END,
        multipart_part(b"Content-Type: text/plain") + END,
        multipart_part(b"no header") + END,
        multipart_part(b"X: " + b"y" * 10_000) + END,
        multipart_part(TEXT) * 2 + END,
        multipart_part(FILE % b"a.txt") * 2 + END,
        multipart_part(TEXT, b"\xff\xfe") + END,
        multipart_part(TEXT + b"\r\nContent-Type: text/plain; charset=no-such") + END,
        multipart_part(TEXT + b"\r\nContent-Type: text/plain; charset=idna", b"xn--a") + END,
        multipart_part(TEXT + b"\r\nContent-Type: text/plain; charset=punycode", b"x" * 50_000) + END,
        multipart_part(TEXT + b'\r\nContent-Type: text/plain; charset="a\0b"') + END,
        multipart_part(TEXT + b"\r\nContent-Type: text/plain; charset=utf-16", b"odd") + END,
        multipart_part(TEXT, b"x" * 300_000 + b"\xe1\x9e") + END,
        b"".join(
            multipart_part(b'Content-Disposition: form-data; name="f%d"' % number) for number in range(200)
        )
        + END,
        multipart_part(b'Content-Disposition: form-data; name="file"', b"a file without a name") + END,
    ],
    ids=lambda body: repr(body[:50]),
)
async def test_a_broken_multipart_body_is_refused(alice: Person, ai: Ai, body: bytes) -> None:
    assert_error(await alice.post("/api/scan", data=body, headers=MULTIPART), 400, "invalid_request")
    assert ai.calls == []


async def test_long_text_is_forwarded_unchanged(alice: Person, ai: Ai) -> None:
    text = "គម្រោង 😀\n" * 40_000
    await alice.scan(text=text)
    part = ai.calls[0].parts["text"]
    assert (part.body.decode(), part.headers["Content-Type"]) == (text, "text/plain; charset=utf-8")


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
async def test_long_text_in_another_encoding_is_forwarded_unchanged(
    alice: Person, ai: Ai, charset: str
) -> None:
    text = "x" + "គម្រោង 😀\n" * 40_000  # characters across the ends of slices
    mark = {"utf-16-be": codecs.BOM_UTF16_BE}.get(charset, b"")  # without one, it is little-endian
    sent = TEXT + b"\r\nContent-Type: text/plain; charset=" + charset[:6].rstrip("-").encode()
    body = multipart_part(sent, mark + text.encode(charset)) + END
    assert (await alice.post("/api/scan", data=body, headers=MULTIPART)).status == 200
    assert ai.calls[0].parts["text"].body.decode() == text


async def test_text_field_may_be_a_file_part(alice: Person, ai: Ai) -> None:
    sent = TEXT + b'; filename="notes.txt"\r\nContent-Type: text/plain; charset=windows-1252'
    reply = await alice.post("/api/scan", data=multipart_part(sent, b"caf\xe9") + END, headers=MULTIPART)
    assert (reply.status, reply.json["filename"]) == (200, None)
    assert ai.calls[0].parts["text"].body.decode() == "café"


async def test_unknown_form_fields_are_ignored(alice: Person, ai: Ai) -> None:
    other = b'Content-Disposition: form-data; name="other"'
    bodies = [
        (URLENCODED, b"a=1&a=2&text=tight"),
        (MULTIPART, multipart_part(other) * 2 + multipart_part(TEXT, b"tight") + END),
    ]
    for headers, body in bodies:
        assert (await alice.post("/api/scan", data=body, headers=headers)).status == 200
    assert [call.parts["text"].body for call in ai.calls] == [b"tight"] * 2


async def test_a_multipart_body_without_a_boundary_is_refused(alice: Person) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    assert_error(
        await alice.post("/api/scan", data=multipart_part(TEXT) + END, headers=headers),
        400,
        "invalid_request",
    )


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (FILE % "ផែនការ.txt".encode(), "ផែនការ.txt"),
        (FILE % b"he said %22hi%22.txt", 'he said "hi".txt'),
        (FILE % b"C:\\dir\\plan.txt", "plan.txt"),
        (b"Content-Disposition: form-data; name=file; filename=plain.txt", "plain.txt"),
        (b"Content-Disposition: form-data; name=file; filename*=UTF-8''%E1%9E%95.txt", None),
        (FILE % b"\xff\xfe.txt", None),
    ],
)
async def test_filename_encodings_of_clients_are_understood(
    alice: Person, disposition: bytes, name: str | None
) -> None:
    reply = await alice.post("/api/scan", data=multipart_part(disposition) + END, headers=MULTIPART)
    if name is None:
        assert_error(reply, 400, "invalid_request")
    else:
        assert reply.json["filename"] == name


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"null"),
        ("application/json", b'{"text": NaN}'),
        ("application/json", b'{"text": 7}'),
        ("application/json", b'{"text": ["x"]}'),
        ("application/json", b'{"text": "\\ud800"}'),
        ("application/json", b'{"text": "x", "force_llm": "maybe"}'),
        ("application/json", b'{"text": "x", "force_llm": []}'),
        ("application/json", b'{"text": "x", "force_llm": 7}'),
        ("application/json", b'{"text": "x", "file": "plan.txt"}'),
        ("application/json", b'{"text": "x", "file": 0}'),
        ("application/json", b"\xff\xfe{"),
        ("application/json", b"[" * 200_000),
        ("application/json", b'{"n": ' + b"9" * 6000 + b"}"),
        ("application/json", b'{"text": ' + b"9" * 6000 + b"}"),
        ("application/json", b'{"text": [' + b"[]," * 1000 + b"0]}"),
        ("application/json", b'{"text": "x", "force_llm": [' + b"[]," * 1000 + b"0]}"),
        ("application/json", b'{"text": "x", "file": {' + b'"a":{},' * 1000 + b'"b":0}}'),
        ("application/json", b'{"text": "' + b"\xff" * 6000 + b'"}'),
        ("application/json", b'{"text": "x"' + b"".join(b',"%d":0' % n for n in range(200)) + b"}"),
        ("application/json; charset=no-such", b"{"),
        ("application/x-www-form-urlencoded", b"text=%FF"),
        ("application/x-www-form-urlencoded", b"\xff"),
        ("application/x-www-form-urlencoded", b"a=1&" * 200),
        ("application/x-www-form-urlencoded", b"text=a&text=b"),
        ("text/plain", b"tight budget"),
        ("", b"tight budget"),
        ("nonsense", b"tight budget"),
    ],
)
async def test_a_bad_body_is_refused(alice: Person, ai: Ai, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind} if kind else {}
    reply = await alice.post("/api/scan", data=body, headers=headers, skip_auto_headers=["Content-Type"])
    assert_error(reply, 400, "invalid_request")
    assert ai.calls == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"text": "a", "text": "b"}', "text"),
        (b'{"text": "a", "te\\u0078t": "b"}', "text"),
        (b'{"text": "a", "text": [], "text": "c"}', "text"),
        (b'{"text": "a", "force_llm": true, "force_llm": false}', "force_llm"),
    ],
)
async def test_a_json_key_that_is_sent_twice_is_refused(
    alice: Person, ai: Ai, body: bytes, field: str
) -> None:
    reply = await alice.post("/api/scan", data=body, headers=JSON)
    assert_error(reply, 400, "invalid_request", **{field: ...})
    assert ai.calls == []


@pytest.mark.parametrize(
    "path", ["/api/auth/register", "/api/auth/login", "/api/auth/password", "/api/tokens"]
)
async def test_a_json_key_that_is_sent_twice_is_refused_by_every_operation(alice: Person, path: str) -> None:
    body = b'{"name": "x", "email": "a@b.cd", "password": "correct horse", "password": "other horse"}'
    assert_error(await alice.post(path, data=body, headers=JSON), 400, "invalid_request", password=...)


async def test_unknown_json_fields_are_ignored(alice: Person, ai: Ai) -> None:
    others = b'"other": {"text": "a", "text": ["b"]}, "long": "%b", "": null' % (b"\\u1780" * 1000)
    others += rb', "\ud800": 1, "x\udfff": "\udc00", "twice": 1, "twice": 2, "text\ud800": "b"'
    reply = await alice.post("/api/scan", data=b'{%b, "text": "tight"}' % others, headers=JSON)
    assert reply.status == 200
    assert ai.calls[0].parts["text"].body == b"tight"


async def test_a_malformed_escape_in_a_urlencoded_form_stays_as_it_is(alice: Person, ai: Ai) -> None:
    body = b"text=100%+%zz+a=b+%4+%E1%9E%80%3D%253D+%"
    assert (await alice.post("/api/scan", data=body, headers=URLENCODED)).status == 200
    assert ai.calls[0].parts["text"].body.decode() == "100% %zz a=b %4 \u1780=%3D %"


async def exchange(server: Server, data: bytes, *, end: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    if end:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def first_response_line(server: Server, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    line = await reader.readline()
    writer.transport.abort()
    return line


def request_head(alice: Person, path: str = "/api/scan", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {alice.token}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"5\r\nab\r\n0\r\n\r\n", b"-1\r\n"])
async def test_invalid_chunk_is_refused_with_the_standard_error(
    alice: Person, server: Server, chunk: bytes
) -> None:
    sent = request_head(alice, Content_Type="application/json", Transfer_Encoding="chunked") + chunk
    answer = await exchange(server, sent)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b'"error":"invalid_request"' in answer
    assert b"X-Request-ID: " in answer


async def test_truncated_body_is_not_scanned(alice: Person, server: Server, ai: Ai) -> None:
    sent = request_head(
        alice, Content_Type=MULTIPART["Content-Type"], Content_Length="5000"
    ) + multipart_part(TEXT)
    await exchange(server, sent, end=True)
    assert ai.calls == []
    await alice.scan(text="tight budget")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "rot13"])
@pytest.mark.parametrize(
    "headers", [JSON, URLENCODED, MULTIPART], ids=lambda headers: headers["Content-Type"]
)
async def test_content_encoding_is_refused_before_the_body_is_read(
    alice: Person, server: Server, headers: dict[str, str], encoding: str
) -> None:
    sent = {"Content_Type": headers["Content-Type"], "Content_Encoding": encoding, "Content_Length": "5000"}
    assert (await first_response_line(server, request_head(alice, **sent))).startswith(b"HTTP/1.1 415 ")
    reply = await alice.post("/api/scan", data=b"x", headers={**headers, "Content-Encoding": encoding})
    assert_error(reply, 415, "unsupported_media_type")


async def test_identity_is_accepted_as_content_encoding(alice: Person, ai: Ai) -> None:
    headers = {**JSON, "Content-Encoding": "Identity"}
    assert (await alice.post("/api/scan", data=b'{"text": "tight budget"}', headers=headers)).status == 200
    assert ai.calls[0].parts["text"].body == b"tight budget"


@pytest.mark.settings(max_upload_bytes=MB)
class TestBodyLimits:
    async def test_file_of_the_maximum_size_is_accepted(self, alice: Person, ai: Ai) -> None:
        await alice.scan(file=("big.txt", b"x" * MB))
        assert len(ai.calls[0].parts["file"].body) == MB

    @pytest.mark.parametrize(
        "fields",
        [
            {"file": ("big.txt", b"x" * (MB + 1))},
            {"file": ("big.txt", b"x" * (MB - 10)), "text": "x" * 20},
        ],
    )
    async def test_body_over_the_limit_is_refused(
        self, alice: Person, ai: Ai, fields: dict[str, Any]
    ) -> None:
        assert_error(await alice.post("/api/scan", data=form(**fields)), 413, "payload_too_large")
        assert ai.calls == []

    async def test_urlencoded_text_over_the_limit_is_refused(self, alice: Person, ai: Ai) -> None:
        reply = await alice.post("/api/scan", data=io.BytesIO(b"text=" + b"x" * MB), headers=URLENCODED)
        assert_error(reply, 413, "payload_too_large")
        assert ai.calls == []

    async def test_content_length_over_the_limit_is_refused_at_once(
        self, alice: Person, server: Server
    ) -> None:
        sent = request_head(alice, Content_Type=MULTIPART["Content-Type"], Content_Length=str(100 * MB))
        assert (await first_response_line(server, sent)).startswith(b"HTTP/1.1 413 ")

    async def test_chunked_body_is_refused_once_it_exceeds_the_limit(self, alice: Person, ai: Ai) -> None:
        sent = 0

        async def body() -> Any:
            nonlocal sent
            yield b"--frontier\r\n" + FILE % b"big.txt" + b"\r\n\r\n"
            while sent < 64 * MB:
                sent += 65536
                yield b"x" * 65536

        try:
            reply = await alice.post("/api/scan", data=body(), headers=MULTIPART)
        except aiohttp.ClientConnectionError:  # the connection was closed during the upload
            pass
        else:
            assert_error(reply, 413, "payload_too_large")
        assert sent < 32 * MB
        assert ai.calls == []

    async def test_login_body_over_the_form_limit_is_refused(self, guest: Person) -> None:
        reply = await guest.post("/api/auth/login", json={"email": "a@b.cd", "password": "x" * 200_000})
        assert_error(reply, 413, "payload_too_large")

    @pytest.mark.settings(body_timeout_seconds=0.5)
    async def test_slow_body_is_refused(self, alice: Person, server: Server) -> None:
        sent = request_head(
            alice, Content_Type=MULTIPART["Content-Type"], Content_Length="5000"
        ) + multipart_part(TEXT)
        assert (await first_response_line(server, sent)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.settings(max_upload_bytes=MB, max_text_bytes=MB // 2)
class TestLimitOfOtherBodies:
    DETAIL = "Text too large; the limit is 512 KB. Send it as a file."

    @pytest.mark.parametrize(
        ("headers", "head", "tail"),
        [
            (JSON, b'{"text":"', b'"}'),
            (URLENCODED, b"text=", b""),
        ],
        ids=lambda value: value.get("Content-Type") if isinstance(value, dict) else "",
    )
    async def test_json_and_urlencoded_bodies_over_their_limit_are_refused(
        self, alice: Person, ai: Ai, headers: dict[str, str], head: bytes, tail: bytes
    ) -> None:
        framing = len(head + tail)
        for surplus in (1, MB):
            body = head + b"x" * (MB // 2 - framing + surplus) + tail
            reply = await alice.post("/api/scan", data=io.BytesIO(body), headers=headers)
            assert assert_error(reply, 413, "payload_too_large") == self.DETAIL
        assert ai.calls == []
        body = head + b"x" * (MB // 2 - framing) + tail
        reply = await alice.post("/api/scan", data=io.BytesIO(body), headers=headers)
        assert (reply.status, len(ai.calls[0].parts["text"].body)) == (200, MB // 2 - framing)

    async def test_content_length_over_the_limit_is_refused_at_once(
        self, alice: Person, server: Server
    ) -> None:
        for headers in (JSON, URLENCODED):
            size = str(MB // 2 + 1)
            sent = request_head(alice, Content_Type=headers["Content-Type"], Content_Length=size)
            assert (await first_response_line(server, sent)).startswith(b"HTTP/1.1 413 ")

    async def test_multipart_forms_are_not_limited_by_it(self, alice: Person, ai: Ai) -> None:
        long = "x" * (MB // 2 + 1)
        await alice.scan(text=long)
        await alice.scan(file=("big.txt", long.encode()), text="tight")
        await alice.scan(other=long, text="tight")
        bodies = [
            call.parts[name].body for call, name in zip(ai.calls, ("text", "file", "text"), strict=True)
        ]
        assert bodies == [long.encode(), long.encode(), b"tight"]

    @pytest.mark.settings(max_text_bytes=2 * MB)
    async def test_limit_of_files_holds_for_texts_too(self, alice: Person) -> None:
        body = io.BytesIO(b"text=" + b"x" * MB)
        reply = await alice.post("/api/scan", data=body, headers=URLENCODED)
        detail = assert_error(reply, 413, "payload_too_large")
        assert detail == "Request too large; the limit is 1 MB."
