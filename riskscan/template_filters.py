"""What the templates need beside the shapes: colours of categories, the chart's rows, languages, assets."""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
import secrets
import unicodedata
from pathlib import Path

import jinja2
import msgspec
from aiohttp import web
from markupsafe import Markup

from .charts import Bar, assign_tones, build_overview, chart_bars, group_by_category
from .errors import error_from_status
from .file_types import EXTENSIONS
from .settings import Settings

STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# by name: nothing that a request says becomes a path
STATIC_FILES = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
TAGS = 4  # categories of a scan in the history
# scripts that tell the language, by the first word of their letters' Unicode names
LANGUAGE_OF = {
    "ARABIC": "ar", "GREEK": "el", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KATAKANA": "ja",
    "KHMER": "km", "LAO": "lo", "THAI": "th",
}  # fmt: skip

CHART_ROW = Markup("""
        <span class="label">{}</span> <span class="number">{}<span class="visually-hidden"> {}</span></span>
        <svg width="100%" height="8" aria-hidden="true" focusable="false"><rect class="track" width="100%"
          height="8" rx="4"/><rect class="bar" width="{}%" height="8" rx="4"/></svg>
      """)
LETTER = re.compile(r"[^\W\d_]")  # letters, and numbers such as ①
read_categories = msgspec.json.Decoder(dict[str, int]).decode


def configure(environment: jinja2.Environment, settings: Settings) -> None:
    """Give the templates their filters and globals."""
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.auto_reload = False
    # what a list is full of is a filter, and kept: a macro takes several times as long
    environment.filters.update(
        asset=asset_url,
        bars=chart_bars,
        groups=group_by_category,
        language=detect_language,
        overview=build_overview,
        risks=format_risk_count,
        row=chart_row,
        tag=category_tag,
        tags=category_tags,
        time=time_element,
        tones=assign_tones,
    )
    # in the place of all others, which each page would copy
    environment.globals = {
        "dict": dict,
        "random_key": functools.partial(secrets.token_urlsafe, 16),
        "max_upload_mb": f"{settings.max_upload_bytes / 1024 / 1024:g}",
        "kept_for": datetime.timedelta(days=settings.scan_retention_days),
        "max_upload_bytes": settings.max_upload_bytes,
        "extensions": EXTENSIONS,
    }


def category_name(category: str) -> Markup:
    return Markup('<bdi lang="{}">{}</bdi>').format(
        detect_language(category), category.strip() or "No category"
    )


@functools.lru_cache(4096)  # a list has many, and few that differ
def category_tag(category: str, tone: int, count: int | None = None) -> Markup:
    """Return a category as a small label in its colour."""
    number = "" if count is None else Markup(" <b>{}</b>").format(count)
    return Markup('<span class="tag tone-{}">{}{}</span>').format(tone, category_name(category), number)


@functools.lru_cache(4096)
def chart_row(bar: Bar) -> Markup:
    """Return a row of the chart: the category, how many risks it has, and a bar."""
    label = "Other categories, see below" if bar.category is None else category_name(bar.category)
    return CHART_ROW.format(label, bar.number, "risk" if bar.number == 1 else "risks", bar.percent)


@functools.lru_cache(4096)
def category_tags(categories: str) -> Markup:
    """Return the labels of a scan's first categories, which are the keys of a JSON object."""
    found = list(read_categories(categories))
    tone = assign_tones(found)
    labels = [category_tag(category, tone[category]) for category in found[:TAGS]]
    if len(found) > TAGS:
        labels.append(Markup('<span class="tag">+{} more</span>').format(len(found) - TAGS))
    return Markup("\n").join(labels)


def format_risk_count(number: int) -> str:
    """Return a number of risks in words."""
    return f"{number} risks" if number > 1 else "1 risk" if number else "No risks"


@functools.lru_cache(4096)
def time_element(moment: datetime.datetime) -> Markup:
    """Return a time of UTC, which app.js makes local."""
    exact = moment.replace(tzinfo=None).isoformat(" ", "seconds")
    shown = f"{moment.day} {moment:%b %Y, %H:%M} UTC"
    return Markup(f'<time datetime="{exact.replace(" ", "T")}Z" title="{exact} UTC">{shown}</time>')  # noqa: S704


def detect_language(text: str) -> str:
    """Return the BCP 47 tag of the language that the script of a text tells; empty for one that does not."""
    first = next((sign[0] for sign in LETTER.finditer(text, 0, 1000) if sign[0].isalpha()), "")
    return "" if first.isascii() else LANGUAGE_OF.get(unicodedata.name(first, "").partition(" ")[0], "")


async def static_file(request: web.Request) -> web.StreamResponse:
    """Answer a file of static/."""
    path = STATIC_FILES.get(request.match_info["name"])
    if path is None:
        raise error_from_status(404)
    media_type = STATIC_TYPES.get(path.suffix, "text/plain")
    return web.FileResponse(path, headers={"Content-Type": f"{media_type}; charset=utf-8"})


@functools.cache
def asset_url(name: str) -> str:
    """Return the address of a file in static/; it changes with the content, so it may be kept for ever."""
    digest = hashlib.sha256(STATIC_FILES[name].read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
