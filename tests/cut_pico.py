#!/usr/bin/env python3
"""Cuts Pico CSS to what the pages use: `python -m tests.cut_pico`, when a page has a new kind of element.

Reads tests/vendor/pico.classless.min.css, which is whole, the templates, the scripts and static/style.css;
writes static/vendor/pico/pico.css, in a cascade layer. tests/browser/test_weight.py compares both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "riskscan"
WHOLE = ROOT / "tests" / "vendor" / "pico.classless.min.css"
CUT = PACKAGE / "static" / "vendor" / "pico" / "pico.css"
STYLE = PACKAGE / "static" / "style.css"
RULE = re.compile(
    r"(?P<at>@(?:media|supports|-moz-document)[^{]*)\{(?P<rules>(?:[^{}]*\{[^{}]*\})*)\}"
    r"|@keyframes ([\w-]+)\{(?:[^{}]*\{[^{}]*\})*\}|(?P<selectors>[^{}]+)\{(?P<body>[^{}]*)\}"
)
DECLARATION = re.compile(r"""((?:[^;"]|"[^"]*")+)""")
SELECTOR = re.compile(r"(?:[^,()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+")
ARGUMENTS = re.compile(r"\((?:[^()]|\([^()]*\))*\)")  # of :not(), :is(): they need none of what they list
ELEMENT = re.compile(r"(?<![\w:.#=-])([a-z][a-z0-9]*)(?![\w-])(?![^\[]*\])")
ATTRIBUTE = re.compile(r"\[([\w-]+)(?:=([\w-]+))?\]")
GROUP = re.compile(r"role=(group|search)")  # there are some, but style.css says how they look
# what no page has, though it has each part of it, and the icons of invalid fields, which style.css removes
UNUSED = re.compile(
    rf"{GROUP.pattern}|:host|data-theme|::?-ms-|-moz-(list|selection|focus|ui)|-webkit-input|\.striped|fieldset"
    r"|multiple|type=time|:indeterminate|\+small|(article|dialog)>|blockquote footer"
    r"|aria-invalid=(false|true\]:not)|search\]\[aria-invalid|^textarea\[aria-invalid"
)
PROPERTY = re.compile(r"(--pico-[\w-]+)\s*:")
REFERENCE = re.compile(r"var\((--pico-[\w-]+)")


class Pages:
    """The templates and scripts as one text, which says whether a selector can match."""

    def __init__(self) -> None:
        paths = [*PACKAGE.glob("templates/*.html"), *PACKAGE.glob("static/*.js")]
        self.source = "\n".join(path.read_text() for path in sorted(paths))
        created = re.findall(r"""<([a-z][a-z0-9]*)|createElement\("([a-z0-9]+)"\)""", self.source)
        self.elements = {name for names in created for name in names}

    def can_match(self, selector: str) -> bool:
        """Return whether the pages have every element and attribute that a selector needs."""
        needed = ARGUMENTS.sub("", selector)
        return (
            not UNUSED.search(needed)
            and self.elements.issuperset(ELEMENT.findall(needed))
            and all(self.has_attribute(name, value) for name, value in ATTRIBUTE.findall(needed))
        )

    def has_attribute(self, name: str, value: str) -> bool:
        if name == "type":  # also an argument of a macro
            return f'"{value}"' in self.source
        return bool(re.search(rf"""{name}(=|: |", )"{value}""" if value else name, self.source))


def cut_rules(css: str, pages: Pages, replaced: set[str]) -> Iterator[str]:
    """Yield the rules that can match, without the properties of :root that style.css sets."""
    for match in RULE.finditer(css):
        if match["at"]:
            if inner := "".join(cut_rules(match["rules"], pages, replaced)):
                yield f"{match['at']}{{{inner}}}"
        elif not match["selectors"]:
            yield match[0]  # keyframes
        else:
            selectors = [one for one in SELECTOR.findall(match["selectors"]) if pages.can_match(one)]
            declarations = DECLARATION.findall(match["body"])
            if selectors and re.fullmatch(r":root(:not\(.*\))?", selectors[0]):
                declarations = [one for one in declarations if one.partition(":")[0] not in replaced]
            if selectors and declarations:
                yield f"{','.join(selectors)}{{{';'.join(declarations)}}}"


def cut_unused(css: str, style: str) -> str:
    """Remove the custom properties and keyframes that nothing refers to, until none is left."""
    while unused := set(PROPERTY.findall(css)) - {*REFERENCE.findall(css), *REFERENCE.findall(style)}:
        names = "|".join(sorted(unused))
        css = re.sub(rf"""(?<=[{{;])({names}):(?:[^;}}"]|"[^"]*")*;?""", "", css).replace(";}", "}")
        css = re.sub(r"[^{}]+\{\}", "", css)  # the rules that this leaves empty
    for match in RULE.finditer(css):
        if match[3] and len(re.findall(rf"(?<![\w-]){match[3]}(?![\w-])", css)) == 1:  # keyframes
            css = css.replace(match[0], "")
    return css


def cut() -> str:
    """Return Pico without what no page uses."""
    whole, style = WHOLE.read_text(), STYLE.read_text()
    licence = re.search(r"/\*!.*?\*/", whole, re.DOTALL)
    root = re.search(r"^:root \{(.*?)^\}", style, re.DOTALL | re.MULTILINE)
    assert licence
    assert root
    rules = "".join(cut_rules(whole[licence.end() :], Pages(), set(PROPERTY.findall(root[1]))))
    return f"{licence[0]}\n@layer pico{{{cut_unused(rules, style)}}}\n"


if __name__ == "__main__":
    CUT.write_text(cut())
