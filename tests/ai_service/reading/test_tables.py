"""Tables: their heads, the cells that describe a risk, and rows whose risk is closed."""

import pytest

from riskscan.ai_service.reading.blocks import Block, Place
from riskscan.ai_service.reading.columns import Kind, classify_name, is_closed
from riskscan.ai_service.reading.sentences import Unit, split_into_units
from tests.ai_service.documents import read


def read_table(*rows: list[str], heading: str = "") -> list[Unit]:
    above = [Block("heading", [heading], 1)] if heading else []
    table = [Block("row", row, place=Place(table=1, row=number)) for number, row in enumerate(rows, 1)]
    return list(split_into_units([*above, *table]))


def texts(*rows: list[str]) -> list[str]:
    return [unit.text for unit in read_table(*rows)]


def sections(*rows: list[str], heading: str = "") -> list[tuple[str, str]]:
    return [(unit.text, unit.section) for unit in read_table(*rows, heading=heading)]


PIER = "The pier may sink in a storm"
ROOF = "The roof of the bakery leaks"
BOAT = "Rent a boat before the old one fails"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Risk", "risk"),
        ("3. Risk", "risk"),
        ("**Risk**", "risk"),
        ("Risk / Issue", "risk"),
        ("Risk and mitigation", "risk"),
        ("Risk identified", "risk"),
        ("Risks we see", "risk"),
        ("What could go wrong?", "risk"),
        ("Mitigation risk", "risk"),
        ("Risk description (cause)", "description"),
        ("Risk\nDescription", "description"),
        ("Risk_Description", "description"),
        ("Risk name", "description"),
        ("Impact on cost", "effect"),
        ("Risk Owner", "other"),
        ("RiskOwner", "other"),
        ("Risk Response", "other"),
        ("Risk ID", "other"),
        ("Risk #", "other"),
        ("Risk / Issue ID", "other"),
        ("Risk Category", "other"),
        ("Risk identified by", "other"),
        ("Date of risk", "other"),
        ("Date raised", "other"),
        ("Mitigation description", "other"),
        ("Mitigation status", "other"),
        ("Owner name", "other"),
        ("Who owns the risk?", "other"),
        ("Target closure date", "other"),
        ("Risk Level", "rating"),
        ("Likelihood (L)", "rating"),
        ("Residual risk", "rating"),
        ("Risk Status (Open/Closed)", "status"),
        ("Is it closed?", "closed"),
        ("Date closed", "closed"),
        ("Open (Y/N)", "open"),
        ("Active", "open"),
        ("ហានិភ័យ", "risk"),
        ("ម្ចាស់ហានិភ័យ", "other"),
        ("ការពិពណ៌នាហានិភ័យ", "description"),
        ("ស្ថានភាពហានិភ័យ", "status"),
        ("Open risks", "risk"),
        ("Closed risks", "other"),
        ("Contractor", ""),
        ("The pier has problems", ""),
    ],
)
def test_the_noun_of_a_name_says_what_a_column_holds(name: str, kind: Kind) -> None:
    assert classify_name(name) == kind


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "Closed",
            "done",
            "COMPLETE",
            "Completed",
            "Resolved",
            "Retired",
            "Mitigated",
            "n/a",
            "N.A.",
            "Cancelled",
        ),
        *(
            "No longer applicable",
            "Dropped",
            "Withdrawn",
            "Archived",
            "✓",
            "100 %",
            "Closed - 12 May",
            "Canceled",
        ),
        *(
            "Risk has been closed",
            "Fully resolved",
            "Closed, no further action",
            "បានបិទ",
            "Remediated [1](x.org)",
            "No longer a risk",
            "Did not occur",
            "Lapsed in May",
            "Dismissed",
            "Won't fix",
            "False positive",
        ),
    ],
)
def test_a_status_that_ends_a_risk(cell: str) -> None:
    assert is_closed("status", cell)


@pytest.mark.parametrize(
    "cell",
    [
        *("Open", "not resolved", "Not closed", "unresolved", "Reopened", "Closed 3 May, reopened 9 May", ""),
        *(
            "In progress",
            "Partially mitigated",
            "50 % complete",
            "Completed 40 %",
            "Complete by June",
            "Accepted",
        ),
        *("Completed the first test, the second has failed", "Closed the gap in the fence", "Done by June"),
        *("Will be closed", "Open/Closed", "Closed: no", "មិនទាន់បិទ"),
        *(
            "Did not occur yet",
            "No longer on track",
            "Terminated contract, new vendor sought",
            "Won't fix yet",
        ),
        *("No more budget left", "Invalid certificate found", "False positive rate too high"),
    ],
)
def test_a_status_that_leaves_a_risk_open(cell: str) -> None:
    assert not is_closed("status", cell)


@pytest.mark.parametrize(
    ("name", "of_open", "of_closed"),
    [
        ("Closed?", "No", "Yes"),
        ("Closed", "", "x"),
        ("Date closed", "", "2026-05-12"),
        ("Open (Y/N)", "Y", "N"),
        ("Active", "TRUE", "FALSE"),
        ("State", "Live", "Inactive"),
    ],
)
def test_a_row_whose_risk_is_closed_is_left_out(name: str, of_open: str, of_closed: str) -> None:
    assert texts(["Risk", name], [PIER, of_open], [ROOF, of_closed]) == [PIER]


@pytest.mark.parametrize(
    "above",
    [
        [["Ferry terminal risk register", "", "", ""], ["Version 4", "3 November 2026", "", ""], [""] * 4],
        [["Ferry terminal"], ["", "", "", ""]],
        [["Ferry terminal"] * 4, ["Project", "Ferry", "Owner", "Sok"]],
        [["Project", "Ferry", "", ""], ["Owner", "Sok", "", ""], ["Status", "Draft", "", ""]],
    ],
)
def test_the_head_may_stand_below_other_rows(above: list[list[str]]) -> None:
    assert texts(*above, ["ID", "Risk", "Mitigation", "Status"], ["1", PIER, BOAT, "Open"]) == [PIER]


def test_the_first_title_above_a_table_counts_unless_another_names_its_section() -> None:
    for above, title in (
        (["Closed risks", "Version 4"], "Closed risks"),
        (["Ferry terminal", "Closed risks"], "Closed risks"),
        (["Ferry terminal", "Version 4"], "Ferry terminal"),
    ):
        units = read_table(*([text, "", ""] for text in above), ["ID", "Risk", "Owner"], ["1", PIER, "Sok"])
        assert [unit.place.headings for unit in units] == [(title,)]


@pytest.mark.parametrize(
    "head",
    [
        [["Risk", "", "Assessment", "", "Response"], ["No", "Description", "L", "I", "Text"]],
        [["ID", "Risk", "Assessment", "", "Plan"], ["", "", "Likelihood", "Impact", ""]],
        [["ID", "Risk", "Assessment", "Assessment", "Plan"], ["ID", "Risk", "Likelihood", "Impact", "Plan"]],
    ],
)
def test_a_head_may_have_two_rows(head: list[list[str]]) -> None:
    assert texts(*head, ["Quay", PIER, "Rather high", "Very high", BOAT]) == [PIER]


def test_a_head_may_be_repeated_and_another_table_may_follow() -> None:
    head = ["ID", "Risk", "Owner"]
    rows = [head, ["1", PIER, "Sok Lim the elder"], head, ["2", ROOF, "Lin"]]
    other = [["Issue", "Owner", "ID"], ["The oven is too small", "Sok Lim the elder", "7"]]
    assert texts(*rows, *other) == [PIER, ROOF, "The oven is too small"]


@pytest.mark.parametrize(
    "rows",
    [
        [[PIER, BOAT], [ROOF, "Sok will paint it in the spring"]],
        [["Fire risk", "Install controls"], ["Flood risk", "Build dams"]],
    ],
)
def test_a_table_may_have_no_head(rows: list[list[str]]) -> None:
    assert texts(*rows) == [cell for row in rows for cell in row]


def test_the_head_of_a_table_has_rows_below_it() -> None:
    assert texts([PIER, "Open"]) == [PIER]
    assert texts([PIER, "Open"], [ROOF, "Open"], [BOAT, "Closed"]) == [PIER, ROOF]
    assert texts(["Risk description", "Mitigation plan"]) == []


def test_tables_may_stand_side_by_side() -> None:
    rows = [
        ["Open risks", "", "", "", "Assumptions", ""],
        ["Risk", "Owner", "Status", "", "Assumption", "Owner"],
        [PIER, "Sok", "Closed", "", "The town pays for the new quay", "Lin"],
        [ROOF, "Lin", "Open", "", "", ""],
    ]
    units = read_table(*rows)
    assert [unit.text for unit in units] == [ROOF, "The town pays for the new quay"]
    assert [unit.place.headings for unit in units] == [("Open risks",), ("Assumptions",)]
    assert [unit.place.row for unit in units] == [4, 3]


def test_an_empty_column_may_stand_inside_a_register() -> None:
    rows = [["ID", "Risk", "Likelihood", "", "Plan", "Likelihood", "Status"]]
    rows += [["1", PIER, "3", "", BOAT, "2", "Closed"], ["2", ROOF, "3", "", BOAT, "2", "Open"]]
    assert texts(*rows) == [ROOF]


def test_another_table_may_begin_below_its_title() -> None:
    rows = [["No", "Action", "Due"], ["1", BOAT, "June"], ["", "", ""], ["Lessons learned", "", ""]]
    rows += [["What happened", "What we learned", ""], [PIER, "Build piers of stone next time", ""]]
    assert texts(*rows) == [PIER, "Build piers of stone next time"]
    groups = [["", "", ""], ["Bakery", "", ""], ["The ovens are old", "Lin", "Open"]]
    assert texts(["Risk", "Owner", "Status"], [PIER, "Sok", "Open"], *groups) == [PIER, "The ovens are old"]


def test_a_sheet_may_be_written_like_a_page() -> None:
    rows = [
        ["Top risks this month"],
        [PIER],
        ["Loss of licence"],
        ["Progress"],
        ["The paint has been ordered"],
    ]
    expected = [(PIER, "risks"), ("Loss of licence", "risks"), ("The paint has been ordered", "neutral")]
    assert sections(*rows) == expected


def test_numbers_and_bullets_of_cells_are_no_text() -> None:
    rows = [
        ["Risk", "Owner"],
        [f"1. {PIER}\n(b) {ROOF}\n• {BOAT}", "Sok"],
        ["R4: The oven is too small", "Lin"],
    ]
    assert texts(*rows) == [PIER, ROOF, BOAT, "The oven is too small"]


def test_labels_above_a_register_are_no_risks() -> None:
    rows = [["Last updated:", "3 May 2026"], ["Risk", "Owner"], [PIER, "Sok"]]
    assert sections(*rows, heading="Risks") == [(PIER, "risks")]


def test_a_table_may_be_blank() -> None:
    assert texts(["", " "], ["", ""]) == []
    assert read("a.md", f"| | |\n|---|---|\n| | |\n\n{PIER}.\n").texts == [f"{PIER}."]


def test_a_column_of_risks_counts_more_than_the_heading_above() -> None:
    rows = [["Risk", "Mitigation", "Owner"], [PIER, BOAT, "Sok Lim the elder"]]
    assert sections(*rows, heading="Actions") == [(PIER, "risks")]
    assert sections(*rows, heading="Closed risks") == [(PIER, "closed")]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        *(("Open and closed risks", "risks"), ("Risks that are not yet resolved", "risks")),
        *(("Mitigated risks", "closed"), ("Withdrawn", "closed"), ("Resolved issues", "closed")),
    ],
)
def test_a_heading_of_closed_risks_names_no_open_ones(heading: str, section: str) -> None:
    assert sections(["Risk", "Owner"], [PIER, "Sok"], heading=heading) == [(PIER, section)]


def test_effects_count_as_text_and_ratings_do_not_count() -> None:
    rows = [
        ["Risk", "Impact", "Level"],
        [PIER, "Nobody could reach the island", "High"],
        [ROOF, "Very high", "Low"],
    ]
    assert sections(*rows) == [(PIER, "risks"), ("Nobody could reach the island", ""), (ROOF, "risks")]


def test_scales_and_matrices_are_no_risks() -> None:
    assert texts(["Likelihood", "Description"], ["5", "Expected to occur in most circumstances"]) == []
    assert texts(["", "Negligible (1)", "Minor (2)"], ["Almost certain (5)", "Medium", "Very high"]) == []


def test_lists_of_choices_are_no_risks() -> None:
    rows = [
        ["Category", "Response type"],
        ["Human resources", "Avoid it"],
        ["Health and safety", "Accept it"],
    ]
    assert texts(*rows) == []


def test_a_row_with_one_cell_is_the_title_of_the_rows_below() -> None:
    head = ["ID", "Risk", "Owner"]
    rows = [
        head,
        ["Closed risks", "", ""],
        ["1", PIER, ""],
        ["Baking"] * 3,
        ["2", ROOF, "Lin"],
        ["3", BOAT, ""],
    ]
    units = read_table(*rows)
    assert [(unit.text, unit.section) for unit in units] == [
        (PIER, "closed"),
        (ROOF, "risks"),
        (BOAT, "risks"),
    ]
    assert [unit.place.headings for unit in units] == [("Closed risks",), ("Baking",), ("Baking",)]


def test_a_row_with_a_risk_alone_is_no_title() -> None:
    assert texts(["Risk", "Owner"], [PIER, ""], ["Loss of licence", ""]) == [PIER, "Loss of licence"]
    assert texts(["ID", "Risk"], ["", PIER], ["", "Loss of licence"]) == [PIER, "Loss of licence"]


def test_a_sheet_with_labels_at_the_left_is_read_label_by_label() -> None:
    sheet = [["Risk:", PIER], ["Status:", "Open"], ["Response:", BOAT], ["Owner:", "Sok Lim the elder"]]
    closed = [["Risk:", ROOF], ["Status:", "Closed"], ["Owner:", "Lin"]]
    assert sections(*sheet) == [(PIER, "risks")]
    assert texts(*closed, *sheet) == [PIER]
    assert texts(["Risk sheet 1"], *closed, ["Risk sheet 2"], *sheet) == [PIER]


def test_a_value_may_go_on_in_the_next_row() -> None:
    rows = [["Risk", PIER], ["", "It has no lights either"], ["Owner", "Sok"], ["Status", "Open"]]
    assert texts(*rows) == [PIER, "It has no lights either"]


def test_a_label_may_stand_above_its_value() -> None:
    rows = [["Risk description:"], [PIER], ["Owner:"], ["Sok Lim the elder"], ["Status:"], ["Open"]]
    assert texts(*rows) == [PIER]


def test_a_form_may_have_two_labels_in_a_row() -> None:
    rows = [
        ["Risk ID", "R1", "Owner", "Sok Lim the elder"],
        ["Description", PIER, "", ""],
        ["Likelihood", "High", "Status", "Open"],
        ["Mitigation", BOAT, "", ""],
    ]
    assert sections(*rows) == [(PIER, "risks")]


def test_a_form_whose_risk_is_closed_is_left_out() -> None:
    rows = [
        ["Risk title:", "Pier", "Status:", "Closed"],
        ["Risk description:", PIER, "Raised by:", "Sok Lim"],
    ]
    assert texts(*rows) == []


def test_names_may_be_abbreviated() -> None:
    head = ["#", "Description of the risk", "Prob.", "Imp.", "Countermeasure", "Resp."]
    assert sections(head, ["1", PIER, "H", "M", BOAT, "Sok Lim the elder"]) == [(PIER, "risks")]


def test_a_register_may_have_a_column_for_each_risk() -> None:
    rows = [
        ["Risk ID", "R1", "R2", "R3"],
        ["Description", PIER, ROOF, "The oven is too small"],
        ["Owner", "Sok Lim the elder", "Lin", "Ana"],
        ["Status", "Open", "Closed", "Open"],
    ]
    assert texts(*rows) == [PIER, "The oven is too small"]


def test_the_type_of_a_row_of_a_log_decides_its_section() -> None:
    rows = [["Type", "Description", "Status"], ["Risk", PIER, "Open"], ["Action", BOAT, "Open"]]
    rows += [["Assumption", ROOF, "Open"]]
    assert sections(*rows) == [(PIER, "risks"), (BOAT, "neutral"), (ROOF, "")]


def test_a_table_that_is_no_register_is_read_whole() -> None:
    rows = [["Workstream", "Status", "Comments"], ["Quay", "Red", PIER], ["Oven", "Green", ROOF]]
    assert sections(*rows) == [(PIER, ""), (ROOF, "")]


def test_merged_cells_that_are_repeated_are_read_once() -> None:
    assert texts(["ID", "Risk", "Risk", "Owner"], ["1", PIER, PIER, "Sok"]) == [PIER]


def test_khmer_registers() -> None:
    head = ["ល.រ", "ហានិភ័យ", "ម្ចាស់ហានិភ័យ", "ស្ថានភាព"]
    rows = [["១", "ទឹកអាចឡើងខ្ពស់", "លោក សុខ ប៊ុនថន", "បើក"], ["២", "ផ្លូវអាចលិច", "លោក លី", "បានបិទ"]]
    assert texts(head, *rows) == ["ទឹកអាចឡើងខ្ពស់"]


def test_tables_of_markdown_follow_the_same_rules() -> None:
    table = (
        f"## Actions\n\n| Risk ID | Risk | Risk Owner |\n|---|---|---|\n| R1 | {PIER} | Sok Lim the elder |\n"
    )
    assert [(unit.text, unit.section) for unit in read("plan.md", table).units] == [(PIER, "risks")]


def test_a_table_of_descriptions_below_a_heading_of_risks_is_a_register() -> None:
    rows = [["No", "Description", "Contractor"], ["1", PIER, "The dredging company of Lim"]]
    assert sections(*rows, heading="Risks") == [(PIER, "risks")]
    assert len(sections(*rows, heading="Work")) == 2
