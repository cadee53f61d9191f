# ruff: noqa: E501
"""Comma-separated values as programs and people write them."""

import pytest

from riskscan.ai_service.reading.cell_markup import clean_cell
from tests.ai_service.documents import read

CRANE = "The crane, the barge, and the tug are old"
DOUGH = "The dough may spoil"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # commas in the prose of a file with semicolons, and decimal commas
        (f"ID;Risk;Plan\n1;{CRANE};Buy, or rent\n2;{DOUGH};None", [CRANE, DOUGH]),
        (f"ID;Risk;Cost;Rate\n1;{DOUGH};2,5;3,7\n2;The oven is cold;1,5;2,5", [DOUGH, "The oven is cold"]),
        (f"ID\tRisk\tPlan\n1\t{CRANE}\tBuy; or rent", [CRANE]),
        (f"ID|Risk|Plan\n1|{CRANE}|Buy, or rent", [CRANE]),
        (f'ID,Risk,Plan\n1,"{CRANE}","Buy; sell; rent; lend"', [CRANE]),
        # the line that tells Excel the delimiter
        (f"sep=;\nID;Risk;Owner\n1;{CRANE};Sok", [CRANE]),
        # title lines above the head
        (f"Port register\nVersion 4;3 May\n;;\nID;Risk;Owner\n1;{CRANE};Sok\n2;{DOUGH};Lin", [CRANE, DOUGH]),
        # a cell of two lines
        (
            f'ID,Risk,Owner\n1,"{DOUGH}\nin the heat",Sok\n2,{DOUGH} too,Lin',
            [DOUGH, "in the heat", f"{DOUGH} too"],
        ),
        # rows that are too short, and too long
        (
            f"ID,Risk,Owner,Status\n1,{DOUGH}\n2,The oven is cold,Lin,Open,late,again",
            [DOUGH, "The oven is cold"],
        ),
        (
            f"ID,Risk,Owner\n1,{DOUGH},Lin\n2,{CRANE},Sok\n3,The oven is cold,Lin",
            [DOUGH, CRANE, "The oven is cold"],
        ),
        # quotation marks that are not closed, or stand inside a cell
        (f'ID,Risk,Owner\n1,"{DOUGH},Sok\n2,The oven is cold,Lin', [DOUGH, "The oven is cold"]),
        (f'ID,Risk,Owner\n1,The 5" pipe may burst,Sok\n2,{DOUGH},Lin', ['The 5" pipe may burst', DOUGH]),
        # a row in a single cell
        (f'"ID,Risk,Owner"\n"1,{DOUGH},Sok Lim the elder"', [DOUGH]),
        # a single column
        (f"Risk\n{CRANE}\n{DOUGH}", [CRANE, DOUGH]),
        # no table
        (
            f"Dear Sok,\n\n{CRANE}, as you know.\n\n{DOUGH}.",
            ["Dear Sok,", f"{CRANE}, as you know.", f"{DOUGH}."],
        ),
    ],
)
def test_the_cells_of_a_register_are_found(text: str, found: list[str]) -> None:
    assert [unit.text for unit in read("register.csv", text).units] == found


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_encodings_of_spreadsheets_are_read(encoding: str) -> None:
    data = f"ID;Risk;Owner\r\n1;The café’s {DOUGH};Sok\r\n".encode(encoding)
    assert [unit.text for unit in read("register.csv", data).units] == [f"The café’s {DOUGH}"]


def test_a_row_knows_its_number() -> None:
    reading = read("register.csv", f"ID,Risk\n\n1,{DOUGH}\n2,The oven is cold\n")
    assert [unit.place.row for unit in reading.units] == [3, 4]


def test_a_mark_that_is_never_closed_swallows_no_rows() -> None:
    rows = "".join(f'{number},"Row {number} may fail,Sok\n' for number in range(2000))
    assert len(read("register.csv", "ID,Risk,Owner\n" + rows).units) == 2000


DEVOPS = (
    "ID,Work Item Type,Title,State,Description\n"
    '101,Risk,The vendor may not deliver,Active,"<div>Nobody <b>has</b> answered since May.<br></div>'
    '<div>Only they make this pump &amp; the old one leaks.</div>"\n'
    '102,Risk,The tank leaks,New,"<div><ul><li>The weld is cracked.</li><li>The welder has left.</li></ul></div>"\n'
)
JIRA = (
    "Summary,Issue key,Issue Type,Status,Description,Comment\n"
    'The portal may lose orders,A-1,Risk,To Do,"h3. Background\n'
    "It drops orders when *two* buyers press _send_ at once, see [the log|https://x.example/log].\n\n"
    "* {color:#ff0000}No one{color} at the vendor answers.\n** [~ada] says that the {{cache}} overflows.\n"
    '{code:java}\nthrow new Failure();\n{code}\n!shot.png|thumbnail!",'
    '"04/Mar/26 9:30 AM;ada;The vendor has gone quiet since the fire."\n'
)


def test_markup_of_issue_trackers_in_cells_is_read_as_shown() -> None:
    assert read("a.csv", DEVOPS).texts == [
        "The vendor may not deliver",
        "Nobody has answered since May.",
        "Only they make this pump & the old one leaks.",
        "The tank leaks",
        "The weld is cracked.",
        "The welder has left.",
    ]
    assert read("a.csv", JIRA).texts == [
        "The portal may lose orders",
        "It drops orders when two buyers press send at once, see the log.",
        "No one at the vendor answers.",
        "ada says that the cache overflows.",
        "The vendor has gone quiet since the fire.",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "2 * 3 * 4 < 5, and [a] stays",
        "C:\\a_b_c {x} !",
        "Wow! It is <late> again, no. 1_a*",
        "Open [yes|no], {budget} is *low*",
    ],
)
def test_signs_that_are_no_markup_stay(cell: str) -> None:
    assert clean_cell(cell) == cell


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (
            "<div>Ask <ana@example.com> or <name> <b>now</b>: it takes <5 days if (a<b)</div>",
            "Ask <ana@example.com> or <name> now: it takes <5 days if (a<b)",
        ),
        ("<![if !lists]><p>The pump<o:p></o:p> leaks</p>", "The pump leaks"),
        (
            "{code}" + 3_000 * "x" + "{code}The pump leaks.{code}y{code}The weld is cracked.",
            "The pump leaks.\nThe weld is cracked.",
        ),
        ("{color:red}Late{color}{noformat}the weld", "Late\nthe weld"),
        ("||Risk|The pump leaks|\n||Owner|{color:red}Ana{color}|", "Risk|The pump leaks\nOwner|Ana"),
    ],
)
def test_words_beside_markup_are_kept(cell: str, shown: str) -> None:
    assert clean_cell(cell).strip() == shown


@pytest.mark.parametrize(
    "sign", ["!", "!a.b", "{code:x}", "{quote}*a", "[a|", "<br>", "<br><a ", "{quote}!a.png|"]
)
def test_hostile_cells_are_read_in_little_time(sign: str) -> None:
    clean_cell(sign * 5_000)
