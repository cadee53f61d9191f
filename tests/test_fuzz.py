"""Property tests: every parser of external input returns a valid value or raises its declared error."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from multidict import CIMultiDict

from riskscan.ai_client import (
    MAX_MESSAGE,
    InvalidResponse,
    extract_message,
    read_findings,
    read_message,
    to_form,
)
from riskscan.concurrency import UPLOAD_MEMORY, UploadMemory
from riskscan.database.scan_queries import CursorPosition
from riskscan.errors import ApiError
from riskscan.file_types import EXTENSIONS, NEVER_TEXT
from riskscan.handlers.scans import read_cursor, write_cursor
from riskscan.request.body import FIELD_NAMES, read_document, read_json, read_urlencoded
from riskscan.request.fields import FLAGS, normalize_email, read_integer, read_next_path
from riskscan.request.forwarded import client_address
from riskscan.request.uploads import extension_of, sanitize_filename
from riskscan.responses import json_encoder
from riskscan.schemas import ALL_SCANS, Filter
from riskscan.settings import SETTINGS, Settings, SettingsError
from tests.support.ai import FINDINGS, RISKS, Ai
from tests.support.application import SECRET

pytestmark = pytest.mark.slow

ANY = st.text(st.characters(codec=None))  # includes NUL and lone surrogates
VALID = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=12,
)
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")  # not storable in PostgreSQL or UTF-8
app = web.Application()
app[SETTINGS] = Settings(
    database_url="sqlite:///nowhere.db", jwt_secret=SECRET, ai_service_url="http://127.0.0.1:1"
)
app[UPLOAD_MEMORY] = UploadMemory(0)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as started:
        yield started


class ChunkedPayload:
    """A request payload that arrives in these chunks."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = iter(pieces)

    async def readany(self) -> bytes:
        return next(self.pieces, b"")


class EncodedForm(NamedTuple):
    """An encoded form with the values that it contains."""

    content_type: str
    body: bytes
    text: str
    file: tuple[str, bytes] | None
    force_llm: str

    async def read(self, cuts: list[int]) -> tuple[str | None, tuple[str, bytes] | None, bool | None]:
        """Parse the form, split at `cuts`; return the text, the file and the flag of the document."""
        ends = sorted(cut % (len(self.body) + 1) for cut in cuts)
        pieces = [self.body[begin:end] for begin, end in itertools.pairwise([0, *ends, len(self.body)])]
        headers, payload = {"Content-Type": self.content_type}, ChunkedPayload([*filter(None, pieces)])
        request = make_mocked_request("POST", "/", headers, app=app, payload=payload)  # type: ignore[arg-type]
        async with read_document(request, lambda size: None) as document:
            upload = document.upload
            to_form(document)()  # the document can be sent to the AI service
            return document.text, upload and (upload.filename, upload.content.read()), document.force_llm


CUTS = st.lists(st.integers(min_value=0), max_size=10)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"\\/%'))


@st.composite
def multipart_forms(draw: DrawFn) -> EncodedForm:
    """Multipart bodies by RFC 7578: any boundary, any field order, content that resembles a boundary."""
    boundary = draw(st.from_regex(r"[0-9A-Za-z'()+_,./:=?-]{1,30}", fullmatch=True)).encode()
    marks = st.sampled_from([b"\r\n", b"\r", b"-", b"--" + boundary[:-1], b"\r\n--"])
    content = st.lists(marks | st.binary(max_size=9), max_size=8).map(b"".join)
    text, force_llm = draw(VALID | st.just(" \n")), draw(st.sampled_from(["", *FLAGS]))
    file = draw(st.none() | st.tuples(NAMES.map(lambda stem: f"{stem}.txt"), content))
    fields = [(b'"text"', text.encode()), (b'"force_llm"', force_llm.encode())]
    if file:
        fields.append((b'"file"; filename="%b"' % file[0].encode(), file[1]))
    fields += [(b'"other"', value) for value in draw(st.lists(VALID.map(str.encode), max_size=3))]
    assume(all(b"\r\n--" + boundary not in b"\r\n" + value for _, value in fields))
    assume(not file or not file[1].startswith(NEVER_TEXT))
    parts = [
        b"--%b\r\nContent-Disposition: form-data; name=%b\r\n\r\n%b\r\n" % (boundary, name, value)
        for name, value in draw(st.permutations(fields))
    ]
    body = b"".join(parts) + b"--%b--\r\n" % boundary
    return EncodedForm(f'multipart/form-data; boundary="{boundary.decode()}"', body, text, file, force_llm)


@given(multipart_forms(), CUTS)
def test_multipart_form_round_trips_in_any_chunks(
    runner: asyncio.Runner, form: EncodedForm, cuts: list[int]
) -> None:
    text = form.text if form.text.strip() else None
    file = (sanitize_filename(form.file[0]), form.file[1]) if form.file else None
    if (text is None and file is None) or (file and not file[1]):
        with pytest.raises(ApiError, match="The file is empty" if file else "Provide a file or text to scan"):
            runner.run(form.read(cuts))
    else:
        assert runner.run(form.read(cuts)) == (text, file, FLAGS.get(form.force_llm))


def corrupt_form(form: EncodedForm, begin: int, end: int, instead: bytes) -> EncodedForm:
    begin, end = sorted((begin % (len(form.body) + 1), end % (len(form.body) + 1)))
    return form._replace(body=form.body[:begin] + instead + form.body[end:])


POSITION = st.integers(min_value=0, max_value=2000)
KINDS = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
HEADERS = (
    KINDS | st.just("multipart/form-data; boundary=x") | VALID | VALID.map("multipart/form-data; ".__add__)
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"--x\r\n")
BROKEN = st.builds(corrupt_form, multipart_forms(), POSITION, POSITION, st.binary(max_size=20)) | st.builds(
    EncodedForm, HEADERS, BODIES, st.just(""), st.none(), st.just("")
)


def assert_invalid(error: ApiError) -> None:
    assert (error.status, error.code) == (400, "invalid_request")


@given(BROKEN, CUTS)
def test_any_body_is_parsed_or_refused(runner: asyncio.Runner, form: EncodedForm, cuts: list[int]) -> None:
    try:
        text, file, _ = runner.run(form.read(cuts))
        status = 200 if text or file else 500
    except ApiError as error:
        status = error.status
        json_encoder.encode([error.detail, error.fields])  # the error can be encoded
    assert status in (200, 400)


KNOWN = st.sampled_from(sorted(FIELD_NAMES))
OBJECTS = st.dictionaries(KNOWN | ANY, JSON)


@given(st.binary() | (JSON | OBJECTS).map(lambda value: json.dumps(value).encode()))
def test_any_json_is_parsed_or_refused(body: bytes) -> None:
    try:
        fields = read_json(body)
    except ApiError as error:
        assert_invalid(error)
    else:
        sent = {name: value for name, value in json.loads(body).items() if name in FIELD_NAMES}
        assert fields.keys() == sent.keys()
        for name, value in sent.items():
            # half a surrogate pair makes a value one that no field takes
            assert fields[name] == ("\ud800" if has_surrogates(value) else value)


def has_surrogates(value: Any) -> bool:
    return UNSTORABLE.search(json.dumps(value, ensure_ascii=False)) is not None


@given(st.dictionaries(KNOWN | VALID, VALID))
def test_urlencoded_form_round_trips(fields: dict[str, str]) -> None:
    body = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields.items())
    known = {name: value for name, value in fields.items() if name in FIELD_NAMES}
    assert read_urlencoded(body.encode()) == known


# query parameters and headers


def request_with_query(name: str, value: str) -> web.Request:
    return make_mocked_request("GET", f"/?{name}={quote(value, safe='', errors='surrogatepass')}", app=app)


TIMES = st.datetimes(
    datetime.datetime(1970, 1, 1), datetime.datetime(2286, 1, 1), timezones=st.just(datetime.UTC)
)


FILTERS = st.builds(Filter, source=st.sampled_from(["", "llm", "model"]))


def test_cursors_from_before_the_filter_by_digest_stay_valid() -> None:
    assert Filter(words=("abc",)).digest == "e6b131abe1e1"


@given(st.builds(CursorPosition, TIMES, st.uuids().map(str)), FILTERS, FILTERS)
def test_cursor_round_trips_only_with_its_filter(
    position: CursorPosition, chosen: Filter, other: Filter
) -> None:
    written = request_with_query("cursor", write_cursor(position, chosen))
    assert read_cursor(written, chosen) == position
    if other != chosen:
        with pytest.raises(ApiError):
            read_cursor(written, other)


@given(ANY | st.from_regex(r"[0-9]+-[0-9a-f-]{36}"))
def test_any_cursor_is_parsed_or_refused(cursor: str) -> None:
    try:
        position = read_cursor(request_with_query("cursor", cursor), ALL_SCANS)
    except ApiError as error:
        assert_invalid(error)
    else:
        assert position
        written = request_with_query("cursor", write_cursor(position, ALL_SCANS))
        assert read_cursor(written, ALL_SCANS) == position


@given(ANY | st.integers().map(str) | st.integers(-20, 120).map(str))
def test_any_number_is_within_bounds_or_refused(value: str) -> None:
    try:
        limit = read_integer(request_with_query("limit", value), "limit", 20, 1, 100)
    except ApiError as error:
        assert_invalid(error)
        assert value not in map(str, range(1, 101))
    else:
        assert 1 <= limit <= 100
        assert limit == int(value)


@given(ANY | ANY.map("/".__add__) | st.from_regex(r"[/\\a-z:.]+"))
def test_redirect_after_login_stays_on_this_site(target: str) -> None:
    path = read_next_path(request_with_query("next", target))
    assert urlsplit(urljoin("http://us.example/login", path)).netloc == "us.example"


@given(ANY | st.emails())
def test_any_email_is_normalized_or_refused(value: str) -> None:
    try:
        email = normalize_email(value)
    except ApiError as error:
        assert_invalid(error)
    else:
        assert normalize_email(email) == email


@given(st.emails().filter(lambda value: "--" not in value))  # reserved in a label of a domain
def test_plain_email_is_accepted(value: str) -> None:
    assert normalize_email(value).lower() == value.lower()


ADDRESSES = st.ip_addresses().map(str)


@given(st.lists(VALID | ADDRESSES), ADDRESSES)
def test_client_address_is_taken_only_from_the_trusted_proxy(headers: list[str], client: str) -> None:
    assume(client not in ("127.0.0.1", "::1"))

    def seen(remote: str, *added: str) -> str:
        forwarded = CIMultiDict(("X-Forwarded-For", value) for value in (*headers, *added))
        return client_address(make_mocked_request("GET", "/", forwarded, app=app).clone(remote=remote))

    known = ipaddress.ip_address(client)
    known = (known.version == 6 and known.ipv4_mapped) or known
    assert known in ipaddress.ip_network(seen(client))  # X-Forwarded-For from an untrusted client is ignored
    assert known in ipaddress.ip_network(seen("127.0.0.1", client))
    ipaddress.ip_network(seen("127.0.0.1"))


# file names


@given(ANY | st.text("a./\\ \0\n\u202e\u2067\ud800ផ", max_size=400))
def test_any_filename_is_sanitized(name: str) -> None:
    kept = sanitize_filename(name)
    assert len(kept) <= 255
    assert not re.search(r"[/\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", kept)
    assert kept == kept.strip()
    assert sanitize_filename(kept) == kept


@given(st.text(st.characters(codec=None), max_size=400), st.sampled_from(EXTENSIONS), st.booleans())
def test_sanitized_filename_keeps_its_extension(stem: str, extension: str, upper: bool) -> None:
    assert extension_of(sanitize_filename(stem + (extension.upper() if upper else extension))) == extension


# responses of the AI service


def json_bytes(answer: SearchStrategy[Any]) -> SearchStrategy[bytes]:
    return answer.map(lambda value: json.dumps(value).encode())


RISK = st.fixed_dictionaries(
    {"risk": ANY, "category": ANY, "context": ANY}, optional={"score": ANY | st.integers()}
)
ANSWER = st.fixed_dictionaries({"data": st.lists(RISK), "source": st.sampled_from(["llm", "model"])})
ALMOST = st.fixed_dictionaries(
    {},
    optional={"data": JSON | st.lists(st.just(RISKS[0]) | JSON), "source": JSON | st.just("llm"), "x": JSON},
)


@given(json_bytes(ANSWER))
def test_unstorable_characters_in_findings_are_replaced(body: bytes) -> None:
    findings, given_risks = read_findings(body), json.loads(body)["data"]
    assert not UNSTORABLE.search(json_encoder.encode(findings.data).decode())
    for risk, sent in zip(findings.data, given_risks, strict=True):
        for name in ("risk", "category", "context"):
            assert getattr(risk, name) == UNSTORABLE.sub("\ufffd", sent[name])


@given(st.binary() | json_bytes(JSON) | json_bytes(ALMOST) | st.just(json.dumps(FINDINGS).encode()[:-1]))
def test_any_response_is_parsed_or_refused(body: bytes) -> None:
    try:
        findings = read_findings(body)
    except InvalidResponse:
        assert not is_findings(body)
    else:
        assert is_findings(body)
        assert len(findings.data) == len(json.loads(body)["data"])
        json_encoder.encode(findings)


def refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(constant)


def is_findings(body: bytes) -> bool:
    """Return whether a body is what API.md asks of the AI service, by another parser than riskscan's."""
    try:
        value = json.loads(body, parse_constant=refuse)
    except ValueError:
        return False
    return (
        isinstance(value, dict)
        and value.get("source") in ("llm", "model")
        and isinstance(value.get("data"), list)
        and all(
            isinstance(risk, dict)
            and all(isinstance(risk.get(name), str) for name in ("risk", "category", "context"))
            for risk in value["data"]
        )
    )


MESSAGE = st.recursive(
    ANY | JSON,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["detail", "msg", "message", "error"]), inner)
    ),
)


@given(MESSAGE)
def test_error_message_of_any_json_is_a_string(answer: Any) -> None:
    assert isinstance(extract_message(answer), str)


def test_error_message_of_any_response_is_short_and_printable(runner: asyncio.Runner) -> None:
    ai = Ai()
    stop = runner.run(ai.serve())

    async def message(body: bytes, kind: str) -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 422 No\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()

        ai.raw_handler = answer
        async with aiohttp.request("GET", ai.url) as response:
            return await read_message(response)

    @given(
        st.binary() | json_bytes(MESSAGE), st.sampled_from(["application/json", "text/plain", "text/html"])
    )
    def check(body: bytes, kind: str) -> None:
        text = runner.run(message(body, kind))
        assert len(text) <= MAX_MESSAGE
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text)

    check()
    runner.run(stop())


# settings

MARK = "hunter2"
PLAUSIBLE = st.sampled_from(
    ["1", "0", "-1", "1.5", "1e3", "nan", "inf", "off", "10/minute", "HS512", "*", "http://a.example",
     "[::1]", "127.0.0.1, ::1/128", "10.0.0.1/8", "debug", "json", "9" * 5000]
)  # fmt: skip
SECRETS = {
    "JWT_SECRET": st.builds("{}{}".format, st.just(MARK), ANY),
    "DATABASE_URL": st.builds(
        "{}://{}:{}{}@{}".format,
        st.sampled_from(["postgresql", "postgres", "postgresql+asyncpg", "mysql"]),
        *(ANY, st.just(MARK), ANY, ANY | st.just("h/d?sslmode=require") | st.just("[::1")),
    ),
    "AI_SERVICE_URL": st.builds("http://{}:{}{}@{}".format, ANY, st.just(MARK), ANY, ANY | st.just("h:1/x")),
}
VARIABLES = [field.metadata["env"] for field in Settings.__dataclass_fields__.values()]
ENVIRONMENTS = st.fixed_dictionaries(
    {}, optional={name: SECRETS.get(name, PLAUSIBLE | ANY) for name in VARIABLES}
)


@given(ENVIRONMENTS)
def test_any_environment_is_parsed_or_refused_without_leaking_secrets(
    tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "settings"
    try:
        read = Settings.from_env(environ, folder)
        message = repr((read, read.as_table()))
    except SettingsError as error:
        message = str(error)
    assert MARK not in message
    assert "\n" not in message


@given(st.text(st.characters(codec=None, exclude_characters="/."), min_size=1))
def test_any_sqlite_path_is_accepted_or_refused(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "paths"
    url = f"sqlite:///{folder}/{name}/x.db"
    try:
        settings = Settings.from_env({"DATABASE_URL": url}, Path("unused"))
    except SettingsError as error:
        message = str(error)
        assert "DATABASE_URL" in message
        assert "\n" not in message
    else:
        assert settings.database_url == url
        assert (folder / name).is_dir()
