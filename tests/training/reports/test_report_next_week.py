"""What to change next week: one sentence from what the reports found, also where it is nothing."""

import pytest

from training.reports.overview.artefact import Standing
from training.reports.overview.next_week import next_week


def standing(name, verdict, weeks=None):
    return Standing(name=name, action=None, channel=None, dimension="treatment", contacts=100, extra=None,
                    verdict=verdict, weeks=weeks, sentence=f"{name} is {verdict}.")  # fmt: skip


BEST, WORST = [standing("Winback by e-mail", "raised")], [standing("Banner on the web", "lowered")]
UPLIFT = {"targeting": {"to_do": "leave alone 12% of customers", "leave_alone": "Leave alone 12% of customers: ..."}}
PRESSURE = {"alone": {"customers": 1312, "sentence": "Leave 1,312 customers alone this week."}}
TOUCHPOINTS = {
    "outcomes": [
        {"improve": None, "sentence": "None is shown to matter."},
        {"improve": "billing on the phone", "sentence": "Improve billing first."},
    ]
}


KEPT = {"uplift": UPLIFT, "pressure": PRESSURE, "touchpoints": TOUCHPOINTS}


def test_the_most_urgent_three_make_the_sentence_and_all_are_listed():
    found = next_week(False, BEST, WORST, [], [], KEPT)
    assert found.sentence == (
        "Next week: stop “Banner on the web”, leave alone 12% of customers and give 1,312 customers a rest from "
        "contacts."
    )
    assert [one.page for one in found.steps] == ["overview", "uplift", "pressure", "touchpoints", "overview"]
    assert found.steps[-1].do == "give “Winback by e-mail” more room"
    assert [one.why for one in found.steps][2] == "Leave 1,312 customers alone this week."


def test_what_drives_customers_away_is_sent_less_often_unless_it_stops_anyway():
    loud = standing("Call by phone", "raised")
    assert next_week(False, [], [], [], [loud]).sentence == "Next week: use “Call by phone” less often."
    assert [one.do for one in next_week(False, [], WORST, [], WORST).steps] == ["stop “Banner on the web”"]


def test_contacts_that_drive_customers_away_as_a_whole_are_made_less_often():
    said = "Contacts caused 170 opt-outs, likely between 132 and 208."
    found = next_week(False, [], [], [], [], {}, said)
    assert found.sentence == "Next week: contact customers less often."
    assert found.steps[0].why == said
    loud = standing("Call by phone", "raised")
    assert next_week(False, [], [], [], [loud], {}, said).sentence == "Next week: use “Call by phone” less often."


def test_what_nobody_reported_on_is_left_out():
    assert next_week(False, BEST, [], []).sentence == "Next week: give “Winback by e-mail” more room."
    assert next_week(False, [], [], [], [], KEPT | {"uplift": {"targeting": None}, "pressure": None}).sentence == (
        "Next week: improve “billing on the phone” first."
    )
    one = {"alone": {"customers": 1, "sentence": "One."}}
    assert "give 1 customer a rest" in next_week(False, [], [], [], [], {"pressure": one}).sentence


def test_nothing_to_change_is_said_with_when_the_first_answer_is_due():
    nothing = {"targeting": {"to_do": None, "leave_alone": "No group is shown to be harmed."}}
    assert next_week(False, [], [], [], [], {"uplift": nothing, "pressure": {"alone": {"customers": 0}}}).sentence == (
        "Next week: change nothing, for nothing is shown to help or to harm yet."
    )
    waiting = [
        standing("Newsletter", "undecided", 6.2),
        standing("Call", "undecided"),
        standing("App", "undecided", 2.1),
    ]
    said = next_week(False, [], [], waiting).sentence
    assert said.endswith("the first answer is due in about 3 weeks (“App”).")


@pytest.mark.parametrize("others", [{}, KEPT])
def test_figures_that_cannot_be_trusted_change_nothing_else(others):
    found = next_week(True, BEST, WORST, [], [], others)
    assert found.sentence == "Next week: find out who or what chose whom to contact; change nothing else before."
    assert len(found.steps) == 1
