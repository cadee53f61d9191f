"""Markup in the cells of tables that issue trackers export: HTML of Azure DevOps, and that of Jira."""

import re

HTML = re.compile(r"</(?:div|p|li|span|b|strong|td)>|<br ?/?>", re.I)
JIRA = re.compile(
    r"\{(?:color|noformat|code|quote|panel)[:}]|^h[1-6]\. |\[[^\[\]|\n]+\|[^\[\]\n]+\]"
    r"|![^\s!|]{1,200}\.\w{3,4}[|!]",
    re.M,
)
# its comments begin with date and author
COMMENT = re.compile(r"\d{1,2}/[^\W\d_]{3,4}/\d{2,4} \d{1,2}:\d\d(?: [AP]M)?;[^;\n]{0,100};")
REPLACEMENTS = (
    (re.compile(r"\{(noformat|code)\b[^{}\n]*\}.{0,2000}?\{\1\}", re.S), "\n"),
    (re.compile(r"\{(?:color|quote|panel|noformat|code)\b[^{}\n]*\}"), ""),
    (re.compile(r"\{\{([^{}\n]+)\}\}"), r"\1"),
    (re.compile(r"![^\s!|]{1,200}\.\w{3,4}(?:\|[^!\n]{0,200})?!"), ""),
    (re.compile(r"\[([^\[\]|\n]+)\|[^\[\]\n]+\]"), r"\1"),
    (re.compile(r"\[~([^\[\]\n]+)\]"), r"\1"),
    (re.compile(r"^h[1-6]\. |^\|\|.*$", re.M), ""),
    (re.compile(r"^[*#-]{1,6} ", re.M), "- "),
    (re.compile(r"(?<![\w*])\*(\w(?:[^*\n]*[^\s*])?)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(\w(?:[^_\n]*[^\s_])?)_(?![\w_])"), r"\1"),
    (re.compile(r"^\|(.*)\|$", re.M), r"\1"),
)


def clean_cell(text: str) -> str:
    """Return the text that the markup of a cell shows, with a line for each paragraph and item."""
    if "<" in text and HTML.search(text):
        from . import html  # slow to import

        return "\n".join(line for block in html.parse(text) for line in block.texts if line.strip())
    if COMMENT.match(text):
        text = COMMENT.sub("", text, count=1)
    if JIRA.search(text):
        for mark, shown in REPLACEMENTS:
            text = mark.sub(shown, text)
    return text
