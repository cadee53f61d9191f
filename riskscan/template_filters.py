"""Filters and globals of the templates."""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
import secrets
import unicodedata
from pathlib import Path

import jinja2
from markupsafe import Markup

from .charts import Bar, assign_tones, build_matrix, build_overview, rate_severity
from .export.columns import IMPACT_NAMES, LAYOUTS, LIKELIHOOD_NAMES, REASON_NAMES, RESPONSE_NAMES
from .export.text import FORMATS
from .file_types import EXTENSIONS, TYPES_BESIDE_IMAGES
from .history import decode_categories, list_categories
from .report import is_title
from .request.uploads import UNSUPPORTED
from .schemas import MAX_COMMENT, MAX_OWNER, MAX_PASSWORD, MIN_PASSWORD
from .settings import Settings

STATIC = Path(__file__).parent / "static"
MAX_TAGS = 4  # categories of a scan in the history
# scripts with one main language, by the first word of the Unicode names of their letters
LANGUAGE_OF_SCRIPT = {
    "ARABIC": "ar", "GREEK": "el", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KATAKANA": "ja",
    "KHMER": "km", "LAO": "lo", "THAI": "th",
}  # fmt: skip

# not a macro: 20 bars take 33 µs in place of 733
BAR = Markup("""
        <span class="label">{label}</span>
        <span class="number">{number}<span class="visually-hidden"> {unit}</span></span>
        <svg width="100%" height="8" aria-hidden="true" focusable="false"><rect class="track" width="100%"
          height="8" rx="4"/><rect class="bar" width="{percent}%" height="8" rx="4"/></svg>
      """)
# on the Scan page, where images are summed up as one
FILE_TYPE_NAMES = f"{', '.join(known.name for known in TYPES_BESIDE_IMAGES)} or images"
# of the export menu: label, format, layout
EXPORT_CHOICES = [(file_format.label, name, "") for name, file_format in FORMATS.items()]
EXPORT_CHOICES += [(layout.label, layout.format, name) for name, layout in LAYOUTS.items() if name]
SEVERITIES = ("Low", "Medium", "High", "Critical")
LETTER = re.compile(r"[^\W\d_]")  # also matches numbers such as ①


def configure(environment: jinja2.Environment, settings: Settings) -> None:
    """Set the filters and globals of an environment."""
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.auto_reload = False
    environment.filters.update(
        asset=asset_url,
        category_choices=list_categories,
        language=detect_language,
        last_day=last_day,
        matrix=build_matrix,
        month=format_month,
        overview=build_overview,
        risks=format_risk_count,
        row=chart_row,
        tag=category_tag,
        tags=category_tags,
        time=time_element,
        tones=assign_tones,
    )
    environment.tests["title_of"] = is_title
    # replaces Jinja's default globals: every rendering copies them
    environment.globals = {
        "dict": dict,
        "random_key": functools.partial(secrets.token_urlsafe, 16),
        "max_upload_mb": f"{settings.max_upload_bytes / 1024 / 1024:g}",
        "max_upload_bytes": settings.max_upload_bytes,
        "retention": datetime.timedelta(days=settings.scan_retention_days),
        "password_help": settings.password_help,
        "password_length": f"{MIN_PASSWORD}–{MAX_PASSWORD}",
        "extensions": EXTENSIONS,
        "file_type_names": FILE_TYPE_NAMES,
        "unsupported": UNSUPPORTED,
        "export_choices": EXPORT_CHOICES,
        "reasons": REASON_NAMES,
        "responses": RESPONSE_NAMES,
        "likelihoods": LIKELIHOOD_NAMES,
        "impacts": IMPACT_NAMES,
        "severities": SEVERITIES,
        "rate_severity": rate_severity,
        "max_comment": MAX_COMMENT,
        "max_owner": MAX_OWNER,
    }


def category_name(category: str) -> Markup:
    return Markup('<bdi lang="{}">{}</bdi>').format(
        detect_language(category), category.strip() or "Uncategorised"
    )


@functools.lru_cache(4096)  # a list has many tags, most of them the same
def category_tag(category: str, tone: int, count: int | None = None) -> Markup:
    """Return a category as a small label in its colour."""
    number = "" if count is None else Markup(" <b>{}</b>").format(count)
    return Markup('<span class="tag tone-{}">{}{}</span>').format(tone, category_name(category), number)


@functools.lru_cache(4096)
def chart_row(bar: Bar) -> Markup:
    """Return a row of the chart: the category, its number of risks, and the bar."""
    label = "Other categories" if bar.category is None else category_name(bar.category)
    unit = "risk" if bar.number == 1 else "risks"
    return BAR.format(label=label, number=bar.number, unit=unit, percent=bar.percent)


@functools.lru_cache(4096)
def category_tags(categories: str) -> Markup:
    """Return the tags of a scan's first categories, the keys of a JSON object or those of a JSON list."""
    names = list(decode_categories(categories))
    tones = assign_tones(names)
    tags = [category_tag(name, tones[name]) for name in names[:MAX_TAGS]]
    if len(names) > MAX_TAGS:
        tags.append(Markup('<span class="tag">+{} more</span>').format(len(names) - MAX_TAGS))
    return Markup("\n").join(tags)


def format_risk_count(number: int) -> str:
    """Return a number of risks in words."""
    return f"{number} risks" if number > 1 else "1 risk" if number else "No risks"


@functools.lru_cache(4096)
def time_element(moment: datetime.datetime) -> Markup:
    """Return a UTC time as an element, which app.js shows in local time."""
    exact = moment.replace(tzinfo=None).isoformat(" ", "seconds")
    shown = f"{moment.day} {moment:%b %Y, %H:%M} UTC"
    return Markup(f'<time datetime="{exact.replace(" ", "T")}Z" title="{exact} UTC">{shown}</time>')  # noqa: S704


def last_day(end: datetime.datetime) -> Markup:
    """Return the day (UTC) that ends at this time, as an element; empty if none does."""
    if end.time() != datetime.time():
        return Markup("")
    day = end.date() - datetime.timedelta(days=1)
    return Markup(f'<time datetime="{day}">{day.day} {day:%b %Y}</time>')  # noqa: S704


def format_month(month: str) -> str:
    """Return a month such as `2026-11` in words."""
    return f"{datetime.date.fromisoformat(f'{month}-01'):%b %Y}"


def detect_language(text: str) -> str:
    """Return the BCP 47 tag implied by the script of a text, or an empty string."""
    letter = next((match[0] for match in LETTER.finditer(text, 0, 1000) if match[0].isalpha()), "")
    if letter.isascii():
        return ""
    return LANGUAGE_OF_SCRIPT.get(unicodedata.name(letter, "").partition(" ")[0], "")


@functools.cache
def asset_url(name: str) -> str:
    """Return the address of a file in static/, which changes with its content: it can be cached forever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
