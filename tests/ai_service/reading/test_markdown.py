# ruff: noqa: E501
"""Markdown, in files and where people paste it."""

import pytest

from tests.ai_service.documents import read


def headings(text: str) -> list[str]:
    return [block.texts[0] for block in read("a.md", text).blocks if block.kind == "heading"]


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("The **oven** is _too_ old for ~~us~~ bread.", "The oven is too old for bread."),
        ("The ***oven*** is __much__ too *old*.", "The oven is much too old."),
        ("The file_name_here and 2 * 3 * 4 stay.", "The file_name_here and 2 * 3 * 4 stay."),
        (
            'See [the baker\'s letter](https://example.org/a_(b)/risk "late") of May.',
            "See the baker's letter of May.",
        ),
        ("![The old oven](oven.png) It may not fit.", "The old oven It may not fit."),
        ("Ask [the mill](<https://example.org/a b>) for flour.", "Ask the mill for flour."),
        ("[![Mill closed](a.png)](https://example.org) and locked today.", "Mill closed and locked today."),
        ("Write to <baker@example.org> about rent.", "Write to baker@example.org about rent."),
        ("The `oven --hot` command fails at `a*b*c`.", "The oven --hot command fails at a*b*c."),
        ("The oven is old\\\nand cold.", "The oven is old and cold."),
        (r"The \*oven\* costs 5\_000 \| 6\_000 dollars.", "The *oven* costs 5_000 | 6_000 dollars."),
        ("Flour &amp; water are <b>very</b> dear<sup>2</sup> now.", "Flour & water are very dear2 now."),
        ("Delivered by <date> to the <Customer> in town.", "Delivered by <date> to the <Customer> in town."),
        ("The rent doubles.[^1] The mill closes.[^note]", "The rent doubles. The mill closes."),
        ("The *oven that is **really old** fails* today.", "The oven that is really old fails today."),
        ("A `` ` `` and a lone ` sign do no harm.", "A ` and a lone ` sign do no harm."),
    ],
)
def test_marks_inside_a_line_are_removed_and_words_kept(marked: str, words: str) -> None:
    assert " ".join(read("a.md", marked + "\n").texts) == words


def test_links_by_label_show_their_text() -> None:
    text = "The [mill][1] and the [bakery] are closed; [x] stays.\n\n[1]: https://example.org/overdue\n[bakery]: <b.md> 'late'\n"
    assert read("a.md", text).texts == ["The mill and the bakery are closed; [x] stays."]


@pytest.mark.parametrize("name", ["a.md", "a.txt", ""])
@pytest.mark.parametrize("ruler", ["---", "+++"])
def test_front_matter_is_left_out(name: str, ruler: str) -> None:
    sign = ":" if ruler == "---" else " ="
    text = f"{ruler}\ntitle{sign} 'No approval, overdue'\ntags{sign}\n  - blocked late\n{ruler}\n\nThe mill is closed.\n"
    assert read(name, text).texts == ["The mill is closed."]


def test_text_between_two_rulers_is_no_front_matter() -> None:
    text = "---\n\nThe mill is closed and nobody knows why.\n\n---\n\nThe oven is cold.\n"
    assert read("a.md", text).texts == ["The mill is closed and nobody knows why.", "The oven is cold."]


@pytest.mark.parametrize("name", ["a.md", "a.txt", ""])
def test_comments_are_left_out(name: str) -> None:
    text = "The mill is <!-- not really --> closed.\n\n<!--\nThe owner\n\nmay go bankrupt.\n-->\n\nThe oven is cold.\n"
    assert read(name, text).texts == ["The mill is closed.", "The oven is cold."]


def test_text_below_a_comment_without_an_end_is_read() -> None:
    text = "The mill is closed.\n\n<!-- still to do\n\nThe oven is cold.\n\n<!-- a note -->\n\nThe rent is due.\n"
    assert read("a.md", text).texts == [
        "The mill is closed.",
        "still to do",
        "The oven is cold.",
        "The rent is due.",
    ]


@pytest.mark.parametrize("name", ["a.md", "a.txt", ""])
def test_code_scripts_and_style_sheets_are_left_out(name: str) -> None:
    text = (
        "The mill is closed.\n\n```sh\nmill --stop all failed jobs\n```\n\n~~~\nno risk at all\n```\n~~~\n"
        "<style>\n.risk { color: red }\n\n.late { color: blue }\n</style>\n\n<script>\nvar risk = 'late'\n</script>\n\nThe oven is cold.\n"
    )
    assert read(name, text).texts == ["The mill is closed.", "The oven is cold."]


def test_text_below_a_code_fence_without_an_end_is_read() -> None:
    text = "The mill is closed.\n\n```\nmill --stop\n\nThe oven is cold.\n\n```sh\nmill start all of it\n```\n\nThe rent is due.\n"
    texts = read("a.md", text).texts
    assert "The oven is cold." in texts
    assert texts[-1] == "The rent is due."
    assert not any("start" in line for line in texts)


def test_a_list_that_is_indented_from_the_start_is_no_code() -> None:
    text = (
        "    - Dredging (**Mara**)\n       - The barge is late again\n       - The dock leaks at the gate\n"
    )
    assert read("a.md", text).texts == [
        "Dredging (Mara)",
        "The barge is late again",
        "The dock leaks at the gate",
    ]


def test_clauses_with_letters_before_markup_are_items_of_their_own() -> None:
    text = "1. Upon termination of the lease:\n    a. **Tenant** leaves the mill\n    b. <b>Owner</b> takes the keys\n"
    assert read("a.md", text).texts == ["Tenant leaves the mill", "Owner takes the keys"]


def test_indented_code_is_left_out_and_indented_prose_read() -> None:
    text = (
        "Run this:\n\n    mill --stop all\n    mill --clean the oven\n\n    The baker wrote this himself.\n\n"
        "- The oven is old.\n\n    It may not last until May, says he\n\nThe rent is due.\n"
    )
    texts = read("a.md", text).texts
    assert not any(
        "--stop" in line
        for line in read("a.md", "Run this:\n\n    mill --stop all\n\nThe end is near.\n").texts
    )
    assert texts[-3:] == ["The oven is old.", "It may not last until May, says he", "The rent is due."]
    assert "The baker wrote this himself." in read("b.md", "So:\n\n    The baker wrote this himself.\n").texts


@pytest.mark.parametrize("name", ["a.md", "a.txt", ""])
@pytest.mark.parametrize(
    "table",
    [
        "| ID | Risk | Status |\n|:---|:----:|---:|\n| 1 | The oven \\| dryer line may not fit<br>through the door | Open |\n",
        "ID | Risk | Status\n--- | --- | ---\n1 | The **oven** \\| dryer line may not fit through the door | Open\n",
        "<table><tr><th>ID</th><th>Risk</th><th>Status</th></tr>\n\n<tr><td>1</td>\n\n<td>The oven | dryer line may not fit through"
        " the door</td><td>Open</td></tr></table>\n",
    ],
)
def test_tables_are_read_row_by_row(name: str, table: str) -> None:
    reading = read(name, f"# Bakery\n\nWhat we know:\n\n{table}\nThe rent is due.\n")
    rows = [block for block in reading.blocks if block.kind == "row"]
    assert [(row.texts, row.names, row.place.table, row.place.row) for row in rows] == [
        (["1", "The oven | dryer line may not fit through the door", "Open"], ("ID", "Risk", "Status"), 1, 2)
    ]
    assert reading.texts[-1] == "The rent is due."


def test_two_tables_have_two_numbers() -> None:
    table = "| Risk | Status |\n|---|---|\n| The rent may double | Open |\n"
    page = (
        "<table><tr><th>Risk</th><th>Status</th></tr><tr><td>The oven may fail</td><td>Open</td></tr></table>"
    )
    rows = [block for block in read("a.md", f"{table}\n{page}\n\n{table}").blocks if block.kind == "row"]
    assert [row.place.table for row in rows] == [1, 2, 3]


def test_tags_are_removed_and_blocks_of_html_are_paragraphs() -> None:
    text = (
        '<div align="center">\n<h2>Bakery</h2>\n<p>The mill <em>is</em> closed.<br>\nThe oven\nis cold.</p>\n</div>\n\n'
        "<details>\n<summary>Open risks</summary>\n\n- The rent may double.\n\n</details>\n\n<img\n  src='a.png'\n  alt='late'>\n"
    )
    reading = read("a.md", text)
    assert headings(text) == ["Bakery", "Open risks"]
    assert reading.texts == ["The mill is closed.", "The oven is cold.", "The rent may double."]


def test_lists_keep_their_items_with_the_lines_below_them() -> None:
    text = (
        "1. The oven is old\n   And may not last.\n2. [x] The mill is closed,\nsays the baker.\n   - A deeper item that is\n     wrapped here.\n"
        "* [ ] The rent may double.\n\n  It did so last year.\n⚠️ The door is too narrow.\n+ 🔴 The flour is late.\n"
    )
    reading = read("a.md", text)
    assert reading.texts == [
        "The oven is old And may not last.",
        "The mill is closed, says the baker.",
        "A deeper item that is wrapped here.",
        "The rent may double.",
        "It did so last year.",
        "The door is too narrow.",
        "The flour is late.",
    ]


@pytest.mark.parametrize("indent", ["  ", "   ", "    ", "\t"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_items_of_lists_in_lists_have_the_numbers_of_both(indent: str, gap: str) -> None:
    lines = [
        "3. The oven is old.",
        "4. Rent of the mill",
        f"{indent}1. It doubles in May,\n{indent}   says the owner.",
        f"{indent}2) Nobody has read the *lease*.",
        f"{indent}{indent}1. The lawyer is ill.",
        f"{indent}{indent}2. the clerk has left.",
        f"{indent}- A bullet has no number.",
        f"{indent}{indent}7. An item below it has its own.",
        "5. The flour is late.",
    ]
    reading = read("a.md", gap.join(lines) + "\n\nThe bakery is closed.\n\n1. The door is too narrow.\n")
    assert [(unit.place.number, unit.text) for unit in reading.units] == [
        ("3", "The oven is old."),
        ("4", "Rent of the mill"),
        ("4.1", "It doubles in May, says the owner."),
        ("4.2", "Nobody has read the lease."),
        ("4.2.1", "The lawyer is ill."),
        ("4.2.2", "the clerk has left."),
        ("", "A bullet has no number."),
        ("7", "An item below it has its own."),
        ("5", "The flour is late."),
        ("", "The bakery is closed."),
        ("1", "The door is too narrow."),
    ]


def test_a_list_in_a_cell_does_not_tear_its_table() -> None:
    text = (
        "| ID | Risk | Owner |\n|---|---|---|\n"
        "| 1 | The jetty may rot<br><ul><li>The diver has retired</li><li>No survey was made</li></ul> | Ada |\n"
        "| 2 | Boats may hit the buoy | Bob |\n\n<ul><li>The mill is closed.</li></ul>\n"
    )
    reading = read("a.md", text)
    assert [(block.kind, block.texts[0]) for block in reading.blocks] == [
        ("row", "1"),
        ("row", "2"),
        ("item", "The mill is closed."),
    ]
    assert reading.texts == [
        "The jetty may rot",
        "The diver has retired",
        "No survey was made",
        "Boats may hit the buoy",
        "The mill is closed.",
    ]


def test_admonitions_and_shortcodes_are_read_without_their_marks() -> None:
    text = (
        '!!! danger "The dam has a crack"\n\n    nobody measures it since the old warden left us.\n\n'
        "    a letter to the council was lost.\n\n??? note\n    The mill is closed.\n\n"
        '{{< note title="Do read this" >}}\nThe flour is late.\n{{< /note >}}\n\n{{% alert %}}\nThe oven is cold.\n{{% /alert %}}\n'
    )
    reading = read("a.md", text)
    assert "The dam has a crack" in [text for block in reading.blocks for text in block.texts]
    assert [text for text in reading.texts if text != "The dam has a crack"] == [
        "nobody measures it since the old warden left us.",
        "a letter to the council was lost.",
        "The mill is closed.",
        "The flour is late.",
        "The oven is cold.",
    ]


def test_struck_out_text_is_left_out() -> None:
    text = (
        "~~The oven is old and may not last.~~\n\nThe tenant may ~~never~~ leave at <del>any time</del> once.\n\n"
        "| Risk | Status |\n|---|---|\n| The mill may burn | ~~Open~~ Closed |\n| ~~The barn may burn~~ | Open |\n| The shed may burn | Open |\n\n"
        "It takes ~5 to ~7 days and costs ~~ a lot.\n"
    )
    assert read("a.md", text).texts == [
        "The tenant may leave at once.",
        "The shed may burn",
        "It takes ~5 to ~7 days and costs ~~ a lot.",
    ]


def test_headings_of_all_kinds_are_found() -> None:
    text = "Bakery\n======\n\nMove\n----\n\n### The *old* oven ###\n\n##Rent {#rent}\n\n**Open points**\n\nThe mill is closed.\n\n#1023 is no heading.\n"
    assert headings(text) == ["Bakery", "Move", "The old oven", "Rent", "Open points"]


def test_footnotes_definitions_alerts_and_quotations_are_read_without_their_marks() -> None:
    text = (
        "The rent doubles.[^1]\n\n[^1]: The owner said so in May.\n\nMill\n: A place where flour is made.\n\n"
        "> [!WARNING]\n> The oven is so old that the maker has\n> no parts for it.\n\n:::note\nThe flour is late.\n:::\n"
    )
    assert read("a.md", text).texts == [
        "The rent doubles.",
        "The owner said so in May.",
        "A place where flour is made.",
        "The oven is so old that the maker has no parts for it.",
        "The flour is late.",
    ]


def test_lines_whose_links_are_long_are_joined_as_they_were_wrapped() -> None:
    text = (
        "Several years ago the bakery in the old town bought a second mill, and\n"
        "[there were complaints](https://example.org/complaints/2026/bakery/mill)\nThat nobody has answered to this day, says the town.\n"
    )
    assert read("a.md", text).texts == [
        "Several years ago the bakery in the old town bought a second mill, and there were complaints That nobody has"
        " answered to this day, says the town."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "[a](" * 20_000,
        "](" * 20_000,
        "*a _b " * 20_000,
        "`a ``b " * 20_000,
        "<table>" * 10_000,
        "<ul></ul>" * 10_000,
        "!!! " * 10_000,
        "<table>" * 5_000 + "</table>" * 5_000,
        "<!-- " * 20_000,
        "<a " * 20_000,
        "**a " * 20_000,
        "_a" * 40_000,
        "```\n" * 20_001,
        "| a " * 20_000 + "\n|---|\n",
        "> " * 20_000 + "deep",
        "- " * 20_000 + "deep",
        "\\" * 50_000,
        "&" * 50_000,
        "---\n" + "a: b\n" * 20_000,
        "<" + "a\n" * 20_000,
        "." * 50_000,
        " " * 50_000 + "x",
        "a" * 50_000 + "|-",
        "On " * 20_000 + "wrote",
        "From: a\n" * 20_000,
        "-- \n" * 20_000,
        "(" * 50_000,
        "1." * 30_000,
    ],
)
def test_hostile_markdown_is_read_in_little_time(text: str) -> None:
    for name in ("a.md", "a.txt"):
        read(name, text + "\n\nThe mill is closed.\n")


def test_links_and_marks_of_wikis_are_words() -> None:
    source = "# Risks of the pier {#risks .open}\n\nThe [[pump]] may fail ==in winter==, as [[Quay 4|the quay]] did.\n\nThe mill says a == b."
    reading = read("a.md", source)
    assert [(unit.text, unit.place.headings) for unit in reading.units] == [
        ("The pump may fail in winter, as the quay did.", ("Risks of the pier",)),
        ("The mill says a == b.", ("Risks of the pier",)),
    ]


def test_a_line_of_a_backslash_alone_is_empty() -> None:
    text = "The oven may fail.\\\n\\\nThe baker may leave.\n\\\n12 May\n# Head\n"
    assert read("a.md", text).texts[:2] == ["The oven may fail.", "The baker may leave."]
