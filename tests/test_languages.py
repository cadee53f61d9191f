"""The languages of the pages: how one is chosen, what it changes, and that its catalogue is complete."""

from __future__ import annotations

import asyncio
import datetime
import re

import pytest

from riskscan import PACKAGE
from riskscan.errors import Sentence, payload_too_large
from riskscan.languages import negotiate_language, translate, translate_plain
from riskscan.register_import import describe_change
from riskscan.request.fields import Fields, mention_unknown
from riskscan.schemas import ReviewFields
from riskscan.template_filters import format_month, format_number, format_risk_count, time_element
from tests.messages import TRANSLATED, catalogue_path, extract_messages, find_formatted, read_catalogue
from tests.support.ai import Ai
from tests.support.client import Person, assert_error, sign_up, text_of

KHMER = {"Accept-Language": "km"}
LOG_IN = "ចូលគណនី"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("km", "km"),
        ("KM-kh", "km"),
        ("km-Khmr-KH,en;q=0.9", "km"),
        ("en-GB,en;q=0.9,km;q=0.8", "en"),
        ("en;q=0.5, km", "km"),
        ("de-DE, km;q=0.3, en;q=0.2", "km"),
        ("km;q=0", "en"),
        ("km ; q=0.001", "km"),
        ("de", "en"),
        ("*, km;q=0.5", "en"),
        ("kmx", "en"),
        ("km;q=2, en;q=0.1", "en"),
        ("km;q=0.5;q=1", "en"),
        ("," * 8000, "en"),
        ("de," * 30 + "km", "en"),
        ("a" * 8000, "en"),
    ],
)
def test_the_browser_chooses_by_weight(accepted: str, language: str) -> None:
    assert negotiate_language(accepted) == language


async def test_a_page_is_in_the_language_that_the_browser_prefers(guest: Person) -> None:
    for accepted, language, words in (("km-KH, en;q=0.5", "km", LOG_IN), ("fr", "en", "Log in")):
        reply = await guest.get("/login", headers={"Accept-Language": accepted})
        page = text_of(reply)
        assert f'<html lang="{language}">' in page
        assert f'<a href="/login" aria-current="page">{words}</a>' in page
        assert reply.headers["Content-Language"] == language
        assert reply.headers["Vary"].startswith("Accept-Language, Cookie")
    assert (await guest.get("/api/docs", headers=KHMER)).headers["Content-Language"] == "en"


async def test_a_choice_holds_against_the_browser_and_returns_to_the_page(guest: Person) -> None:
    page = text_of(await guest.get("/login?next=/scans%3Fq%3Da", headers=KHMER))
    target = re.search(r'<input type="hidden" name="next" value="(.*?)"', page)
    assert target
    reply = await guest.post("/language", data={"language": "en", "next": target[1]})
    assert (reply.status, reply.headers["Location"]) == (303, "/login?next=/scans%3Fq%3Da")
    cookie = reply.cookies["language"]
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/", "Lax", True)
    assert int(cookie["max-age"]) > 30_000_000
    assert '<html lang="en">' in text_of(await guest.get("/login", headers=KHMER))
    await guest.post("/language", data={"language": "km"})
    assert '<html lang="km">' in text_of(await guest.get("/login", headers={"Accept-Language": "en"}))


async def test_a_choice_of_an_unknown_language_or_another_site_is_refused(guest: Person) -> None:
    for data in ({"language": "xx"}, {}):
        reply = await guest.post("/language", data=data)
        assert (reply.status, "language" in reply.cookies) == (400, False)
    reply = await guest.post("/language", data={"language": "km"}, headers={"Origin": "https://evil.example"})
    assert (reply.status, "language" in reply.cookies) == (403, False)
    reply = await guest.post("/language", data={"language": "km", "next": "//evil.example"})
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    guest.session.cookie_jar.clear()
    cookies = {"Cookie": "language=../xx"}
    assert '<html lang="en">' in text_of(await guest.get("/login", headers=cookies))


async def test_a_page_that_answers_a_form_offers_no_language(guest: Person) -> None:
    """It would be left for good: with a secret that is shown once, or with what was typed."""
    await sign_up(guest)
    for path, fields, status in (
        ("/account/tokens", {"name": "nightly", "scopes": "scan"}, 200),
        ("/account/tokens", {"name": "x" * 500, "scopes": "scan"}, 400),
        ("/scan", {"text": " "}, 400),
    ):
        reply = await guest.post(path, data=fields)
        assert (reply.status, 'action="/language"' in text_of(reply)) == (status, False)
    assert 'action="/language"' in text_of(await guest.get("/account"))


async def test_errors_of_the_embedded_ai_service_are_translated_others_marked_as_english(
    guest: Person, ai: Ai
) -> None:
    await sign_up(guest)
    for said, shown in (
        ("The file is not text.", "ឯកសារនេះមិនមែនជាអត្ថបទទេ។"),
        ("A sentence of another service.", '<span lang="en">A sentence of another service.</span>'),
    ):
        ai.respond_with(422, {"detail": said})
        assert shown in text_of(await guest.post("/scan", data={"text": "x"}, headers=KHMER))


async def test_errors_are_translated_on_pages_and_english_in_the_api(guest: Person) -> None:
    wrong = {"username": "ana@example.com", "password": "no such password"}
    page = text_of(await guest.post("/login", data=wrong, headers=KHMER))
    assert "<p>អ៊ីមែល ឬពាក្យសម្ងាត់មិនត្រឹមត្រូវទេ។</p>" in page
    reply = await guest.post("/api/auth/login", data=wrong, headers=KHMER)
    assert assert_error(reply, 401, "invalid_credentials") == "Wrong email or password."
    short = {"email": "ana@example.com", "password": "a"}
    page = text_of(await guest.post("/register", data=short, headers=KHMER))
    assert "ពាក្យសម្ងាត់មានពី 6 ដល់ 128 តួអក្សរ។" in page
    reply = await guest.post("/api/auth/register", json=short, headers=KHMER)
    assert_error(reply, 400, "invalid_request", password="")
    assert reply.json["fields"] == {"password": "A password has 6 to 128 characters."}


async def test_requests_in_two_languages_at_once_do_not_mix(guest: Person) -> None:
    await sign_up(guest)
    await guest.post("/scan", data={"text": "tight budget"})
    languages = ["en", "km"] * 20
    replies = await asyncio.gather(
        *(guest.get("/scans", headers={"Accept-Language": language}) for language in languages)
    )
    for language, reply in zip(languages, replies, strict=True):
        page = text_of(reply)
        assert f'<html lang="{language}">' in page
        for english, khmer in (
            (">History<", ">ប្រវត្តិ<"),
            ("2 risks", "ហានិភ័យ 2"),
            ("<bdi>Financial<", "<bdi>ហិរញ្ញវត្ថុ<"),
        ):
            assert (khmer in page) == (language == "km")
            assert (english in page) == (language == "en") or english == ">History<"


def test_dates_and_numbers_are_those_of_the_language() -> None:
    moment = datetime.datetime(2026, 11, 5, 8, 7, tzinfo=datetime.UTC)
    assert ">5 Nov 2026, 08:07 UTC<" in time_element("en", moment)
    assert ">5 វិច្ឆិកា 2026, 08:07 UTC<" in time_element("km", moment)
    assert [format_month(language, "2026-01") for language in ("en", "km")] == ["Jan 2026", "មករា 2026"]
    assert [format_number(language, 12345) for language in ("en", "km")] == ["12,345", "12,345"]
    assert [format_risk_count("en", number) for number in (0, 1, 1234)] == [
        "No risks",
        "1 risk",
        "1,234 risks",
    ]


async def test_errors_in_json_are_translated_for_the_scripts_of_the_pages(guest: Person) -> None:
    await sign_up(guest)  # the session cookie is of a page
    reply = await guest.post("/api/scan", data={"text": " "}, headers=KHMER)
    assert reply.headers["Content-Language"] == "km"
    assert reply.json["detail"] == "សូមផ្ដល់ឯកសារ ឬអត្ថបទដើម្បីស្កេន។"
    assert reply.json["fields"] == {"text": "សូមបិទភ្ជាប់អត្ថបទ ឬបន្ថែមឯកសារជាមុនសិន។"}
    reply = await guest.post("/api/scan", data={"text": " "})
    assert reply.json["detail"] == "Provide a file or text to scan."
    assert "Content-Language" not in reply.headers


def test_sentences_within_sentences_are_translated() -> None:
    sentence = mention_unknown("This field is required.", Fields(), "email")
    assert translate(sentence, "km") == "ត្រូវបំពេញវាលនេះ។"
    fields = Fields()
    fields.unknown = ("mail",)
    sentence = mention_unknown("This field is required.", fields, "email")
    assert sentence == "This field is required. Unknown field: “mail”. Did you mean “email”?"
    assert translate(sentence, "km").startswith("ត្រូវបំពេញវាលនេះ។ មិនស្គាល់វាល៖ “mail”។")
    assert "10 មេកាបៃ" in translate(payload_too_large(10 * 1024 * 1024).detail, "km")
    before = ReviewFields(state="confirmed", owner="Open")
    changes = describe_change(before, ReviewFields(state="dismissed", reason="accepted"))
    assert changes == "State: Confirmed → Dismissed · Reason: Accepted · Owner: Open → none"
    assert translate(changes, "km") == (
        "ស្ថានភាព៖ បានបញ្ជាក់ → បានច្រានចោល · មូលហេតុ៖ បានទទួលយក · អ្នកទទួលខុសត្រូវ៖ Open → គ្មាន"
    )


def test_a_sentence_without_translation_is_marked_as_english() -> None:
    assert translate("<b> 100 %", "en") == "<b> 100 %"
    assert translate("<b> 100 %", "km") == '<span lang="en">&lt;b&gt; 100 %</span>'
    assert translate_plain("<b> 100 %", "km") == "<b> 100 %"  # in an attribute
    limit = Sentence("Token limit reached (%(limit)s). Delete a token first.", limit=3)
    assert (limit, translate(limit, "en")) == ("Token limit reached (3). Delete a token first.",) * 2
    assert translate(limit, "km") == "ដល់ដែនកំណត់ចំនួនថូខឹនហើយ (3)។ សូមលុបថូខឹនមួយជាមុនសិន។"


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_message_and_no_others(language: str) -> None:
    used = {message.id for message in extract_messages() if message.id}
    stored = {message.id: message for message in read_catalogue(language) if message.id}
    assert len(used) > 100
    assert sorted(map(str, used - stored.keys())) == [], "run make messages, then translate"
    assert sorted(map(str, stored.keys() - used)) == [], "run make messages"
    assert [str(name) for name, message in stored.items() if not all(texts(message.string or ""))] == []
    assert [str(name) for name, message in stored.items() if message.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_values_and_tags_of_their_messages(language: str) -> None:
    for message in read_catalogue(language):
        for translation in texts(message.string or "") if message.id else ():
            *_, original = texts(message.id)  # of a plural, which has the number
            assert parts(translation) == parts(original), message.id


def texts(message: str | tuple[str, ...] | list[str]) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


def parts(text: str) -> list[str]:
    """Return what a translation has as it is: values, tags, and quotation marks, which end an attribute."""
    return sorted(re.findall(r'%\(\w+\)s|%%|<[^>]+>|"', text))


def test_the_khmer_catalogue_says_that_nobody_has_read_it() -> None:
    header = catalogue_path("km").read_text().partition("msgid")[0]
    assert "A native speaker has still to read these translations." in header


def test_no_sentence_is_an_f_string() -> None:
    sources = {path: path.read_text() for path in PACKAGE.rglob("*.py") if "ai_service" not in path.parts}
    wrong = [f"{path}:{line}" for path, source in sources.items() for line in find_formatted(source)]
    assert wrong == [], "use errors.Sentence"
