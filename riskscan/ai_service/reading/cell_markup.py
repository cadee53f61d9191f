"""Markup in the cells of tables that issue trackers export: HTML of Azure DevOps, and that of Jira."""

import re

from .markdown import TAGS

HTML = re.compile(r"</(?:div|p|li|span|b|strong|td)>|<br ?/?>", re.I)
# what begins no tag, as in "<5 days", "<ana@example.com>" and "<name>"; Word writes tags such as <o:p>
NO_TAG = re.compile(rf"<(?![!?]|/?(?:{'|'.join(sorted(TAGS))}|[a-z]\d?:[a-z]+)(?:\s[^<>]*|\s*/)?>)", re.I)
LINK = r"\[([^\[\]|\n]+)\|(?:https?:|mailto:|file:|[#^])[^\[\]\n]+\]"
CODE = re.compile(r"(?<!\{)\{(?:noformat|code)\b[^{}\n]*\}")
JIRA = re.compile(
    rf"\{{(?:color|noformat|code|quote|panel)[:}}]|^h[1-6]\. |{LINK}"
    r"|![^\s!|]{1,200}\.\w{3,4}[|!]",
    re.M,
)
# its comments begin with date and author
COMMENT = re.compile(r"\d{1,2}/[^\W\d_]{3,4}/\d{2,4} \d{1,2}:\d\d(?: [AP]M)?;[^;\n]{0,100};")
REPLACEMENTS = (
    (re.compile(r"\{(?:color|quote|panel)\b[^{}\n]*\}"), ""),
    (re.compile(r"\{\{([^{}\n]+)\}\}"), r"\1"),
    (re.compile(r"![^\s!|]{1,200}\.\w{3,4}(?:\|[^!\n]{0,200})?!"), ""),
    (re.compile(LINK), r"\1"),
    (re.compile(r"\[~([^\[\]\n]+)\]"), r"\1"),
    (re.compile(r"^h[1-6]\. ", re.M), ""),
    (re.compile(r"^[*#-]{1,6} ", re.M), "- "),
    (re.compile(r"(?<![\w*])\*(\w(?:[^*\n]*[^\s*])?)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(\w(?:[^_\n]*[^\s_])?)_(?![\w_])"), r"\1"),
    (re.compile(r"^\|{1,2}(.*?)\|{1,2}$", re.M), r"\1"),
)


def clean_cell(text: str) -> str:
    """Return the text that the markup of a cell shows, with a line for each paragraph and item."""
    if "<" in text and HTML.search(text):
        from . import html  # slow to import

        return "\n".join(
            line for block in html.parse(NO_TAG.sub("&lt;", text)) for line in block.texts if line.strip()
        )
    if COMMENT.match(text):
        text = COMMENT.sub("", text, count=1)
    if JIRA.search(text):
        pieces = CODE.split(text)
        # code is each second piece, but the last one where its end is missing
        text = "\n".join(pieces[::2] + ([] if len(pieces) % 2 else pieces[-1:]))
        for mark, shown in REPLACEMENTS:
            text = mark.sub(shown, text)
    return text
