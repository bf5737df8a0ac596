"""The page on contact pressure: everything it can hold, nothing at all, and the list of whom to leave alone."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.console import blocks, standalone
from serving.console.blocks import Estimate, Link, Text, Verdict
from serving.console.views import Ask, pressure, pressure_customers
from serving.console.views.pressure_effects import most_opt_out
from training.reports.pressure import words
from training.reports.pressure.artefact import (
    Alone,
    Band,
    ByChannel,
    Causal,
    Cell,
    Contacts,
    Guard,
    GuardWeek,
    Known,
    Level,
    PressureReport,
    Reason,
    Refused,
    Response,
    Rule,
    Saturation,
    Share,
    Total,
    Untold,
    Week,
    Worth,
)

EVIL = '<script>document.title="run"</script>"><img src=x onerror=alert(1)>'


def known(value, half):
    return Known(value=value, low=value - half, high=value + half)


def total(value, half):
    return Total(value=value, low=value - half, high=value + half)


def level(factor, money):
    more = {f"more_{name}": known(factor / 100, 0.001) for name in ("contacts", "opted_out", "complained")}
    found = Level(factor=factor, customers=400, contacts=0.5, opted_out=0.01, complained=0.001, money=3.0, **more,
                  more_money=known(money, 0.1), verdict="worse", sentence="")  # fmt: skip
    return found.model_copy(update={"sentence": words.level(found, "EUR")})


def artefact(**other):
    """A report with something in every part; names that try to run."""
    usual = Level(factor=1, customers=900, contacts=0.5, opted_out=0.01, complained=0.001, money=3.0, verdict="usual",
                  sentence="The usual caps.")  # fmt: skip
    levels = [usual, level(2.0, -0.5), level(4.0, -0.8)]
    causal = Causal(
        decisions=900,
        cells=[
            Cell(channel="email", band="all", contacts=500, opted_out=known(0.01, 0.002), complained=None,
                 sold=known(1, 2), lost=None),
            Cell(channel="email", band="under 25%", contacts=30, opted_out=None, complained=None, sold=None, lost=None),
        ],
        levels=levels,
        uneven=False,
        saturation=[Saturation(channel="email", recommended_a_week=0.3, customers={"under": 5, "saturated": 7})],
        untold=[Untold(channel="phone", present_a_week=0.1, sentence=words.untold("phone", "chance decided 3 of its "
                "contacts, and at least 100 are needed"))],
        sentence="Looser caps do harm.",
    )  # fmt: skip
    found = {
        "title": "Contact pressure: shop",
        "headline": "Leave 7 of 40 customers alone this week (17.5%): so it is.",
        "created_at": "2026-03-30T10:00:00Z",
        "known_until": "2026-03-30T00:00:00Z",
        "source": "a test",
        "currency": "EUR",
        "days": 28,
        "customers": 40,
        "alone": Alone(by="learned", customers=7, of=40, reasons=[Reason(name="full", customers=7)], sentence="so"),
        "contacts": Contacts(
            total=60,
            others=15,
            customers=12,
            a_week=0.4,
            before=0.5,
            most_pressed=0.4,
            channels=[ByChannel(channel=EVIL, ours=45, others=15, customers=12, most=9, a_week=0.4, before=0.5)],
            shares=[Share(contacts=0, up_to=0, customers=28), Share(contacts=1, up_to=None, customers=12)],
            weeks=[
                Week(first=f"2026-03-{day:02}", contacts={EVIL: day}, ours=day, others=0) for day in (2, 9, 16, 23)
            ],
            sentence="Customers were contacted.",
        ),
        "guard": Guard(
            decisions=100,
            touched=40,
            nothing_left=25,
            judged=400,
            refused=90,
            rules=[
                Rule(rule="opt-out", words="opted out", asked=True, refused=60, decisions=30, before=50),
                Rule(rule=EVIL, words=EVIL, asked=False, refused=30, decisions=20, before=0),
            ],
            channels=[Refused(name="email", judged=400, refused=90)],
            actions=[Refused(name=EVIL, judged=400, refused=90)],
            weeks=[
                GuardWeek(first=day, decisions=50, nothing_left=10, refused=40, judged=200)
                for day in ("2026-03-16", "2026-03-23")
            ],
            worth=Worth(customers=9, contacts=9, not_worth=2, brought=total(30, 3), harm=total(5, 1), net=total(25, 3),
                        sentence="The rules cost 25 EUR."),
            sentence="The guard refused something.",
        ),
        "response": Response(
            days=7,
            bands=[
                Band(name="under 25%", contacts=300, answered=30, share=known(0.1, 0.03)),
                Band(name="over 150%", contacts=4, answered=0, share=None),
            ],
            sentence="Too few to tell.",
        ),
        "causal": causal,
        "limit_stated": True,
        "notes": ["A note."],
        "method": ["A method."],
    }  # fmt: skip
    return PressureReport(**found | other).model_dump(mode="json")


def table(page, name):
    found = blocks.table(page, name)
    assert found is not None
    return found


def test_the_first_line_answers_and_every_part_is_there():
    page = pressure.page(artefact(), Ask())
    assert page.lead.startswith("Leave 7 of 40 customers alone this week")
    assert {one.id for one in blocks.tables(page.blocks)} == {
        "contacts-per-customer", "contacts-by-week", "contacts-by-channel", "guard-rules", "guard-by-week",
        "guard-worth", "guard-by-channel", "guard-by-action", "response-by-pressure", "cap-levels",
        "cap-levels-money", "one-contact", "saturation",
    }  # fmt: skip


def test_channels_that_no_number_is_told_for_are_named_with_the_reason():
    said = "How often it pays by phone cannot be told from this log: chance decided 3 of its contacts"
    one = artefact()
    for numbers in (one["causal"]["saturation"], []):  # also where no channel has a number
        one["causal"]["saturation"] = numbers
        section = next(part for part in pressure.page(one, Ask()).blocks if getattr(part, "id", "") == "saturation")
        assert next(text.parts for text in section.blocks if isinstance(text, Text)).startswith(said)
    one["causal"]["untold"] = []
    assert not [part for part in pressure.page(one, Ask()).blocks if getattr(part, "id", "") == "saturation"]
    del one["causal"]["untold"]  # as a report of before it was told
    assert pressure.page(one, Ask()).lead


def test_estimates_carry_their_intervals_and_small_cells_say_so():
    page = pressure.page(artefact(), Ask())
    assert table(page, "guard-worth").rows[2][1] == Estimate(25, 22, 28)
    rows = table(page, "response-by-pressure").rows
    assert rows[0][3] == Estimate(0.1, 0.07, 0.13)
    assert rows[1][3] == Verdict("too few to tell")
    levels = table(page, "cap-levels").rows
    assert levels[0][3] is None  # the usual caps are compared with nothing
    assert levels[1][4] == Estimate(pytest.approx(20), pytest.approx(19), pytest.approx(21))
    assert levels[1][-1] == Verdict("worse than usual", "bad")
    assert [row[1] for row in table(page, "guard-rules").rows] == ["the customer or the law", "our policy"]


def test_the_chart_names_a_channel_only_where_a_contact_is_shown_to_make_customers_opt_out():
    def said(**channels):
        cells = [{"channel": name, "opted_out": known(*of).model_dump()} for name, of in channels.items()]
        return most_opt_out(cells)

    assert said(email=(0.0, 0.008), phone=(0.01, 0.02)).startswith("On no channel is it shown")
    told = said(email=(0.004, 0.002), phone=(0.01, 0.02))
    assert told == "Most opt out because of one contact by e-mail: 0.4%."


def test_a_difference_that_cannot_be_told_is_too_few_in_the_table_and_the_chart():
    one = artefact()
    rare = one["causal"]["levels"][1]
    rare |= {"more_opted_out": None, "untold": {"opted_out": "so it is"}, "verdict": "undecided"}
    page = pressure.page(one, Ask())
    assert table(page, "cap-levels").rows[1][4] == Verdict("too few to tell")
    assert "Caps × 2: too few to tell" in standalone.html(one)
    del one["causal"]["levels"][2]  # no other one is left to draw opt-outs of
    assert "cap-levels-opt-outs" not in standalone.html(one)
    assert table(pressure.page(one, Ask()), "cap-levels-money").rows[0][1] is not None


@pytest.mark.parametrize("locale", ["en", "de"])
def test_the_file_holds_nothing_that_a_name_could_run(locale):
    page = standalone.html(artefact(), locale)
    assert "<img src=x" not in page
    assert 'document.title="run"</script>' not in page
    assert "Leave 7 of 40 customers alone" in page


def nothing():
    quiet = Contacts(total=0, others=0, customers=0, a_week=0, before=None, most_pressed=None, channels=[], shares=[],
                     weeks=[], sentence="No customer was contacted in the last 28 days.")  # fmt: skip
    nobody = Alone(by="policy", customers=0, of=0, reasons=[], sentence="Nobody.")
    return artefact(contacts=quiet, alone=nobody, guard=None, causal=None, why_not_causal="history holds no decisions",
                    response=Response(days=7, bands=[], sentence="Too few."), notes=[])  # fmt: skip


def test_where_nothing_is_known_the_page_says_what_would_tell():
    page = standalone.html(nothing())
    for said in ("No customer was contacted", "tactful sync", "Chance decided too little to tell",
                 "history holds no decisions"):  # fmt: skip
        assert said in page


def test_unbelievable_caps_are_not_drawn():
    of = artefact()["causal"] | {"uneven": True, "sentence": "Do not rely on the comparison of caps."}
    page = pressure.page(artefact(causal=Causal(**of)), Ask())
    assert "cap-levels-money" not in {one.id for one in blocks.tables(page.blocks)}
    assert "Do not rely on the comparison of caps" in standalone.html(artefact(causal=Causal(**of)))


def listed(ask):
    return table(pressure_customers.page(artefact(), ask), "customers")


def test_customers_to_leave_alone_lead_to_their_pages(tmp_path):
    rows = {"customer_id": ["a/b", EVIL], "reason": ["full", "full"], "pressure": [1.5, 1.1], "contacts_7_days": [3, 2],
            "contacts_28_days": [9, 8], "worth_of_one_more": [-0.5, None]}  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "alone.parquet")
    assert pressure_customers.page(artefact(), Ask(tables=tmp_path)).names == ["a/b", EVIL], "whoever looks is kept"
    found = listed(Ask(tables=tmp_path))
    assert found.rows[0] == [Link("a/b", "/customers/~YS9i"), 1.5, 3, 9, -0.5, "Full"]
    assert found.note is None
    many = {name: values * 300 for name, values in rows.items()}
    pq.write_table(pa.table(many), tmp_path / "alone.parquet")
    found = listed(Ask(tables=tmp_path))
    assert (len(found.rows), found.note) == (500, "The first 500 are listed.")
    many["customer_id"] = ["hidden", *(f"c{k}" for k in range(599))]
    pq.write_table(pa.table(many), tmp_path / "alone.parquet")
    page = pressure_customers.page(artefact(), Ask(tables=tmp_path, hidden=frozenset({"hidden", "c3"})))
    assert page.names == [f"c{k}" for k in range(502) if k != 3][:500], (
        "others take the places of whom nothing is shown"
    )


@pytest.mark.parametrize("damaged", [False, True])
def test_a_report_without_its_table_says_what_writes_it(tmp_path, damaged):
    if damaged:
        (tmp_path / "alone.parquet").write_bytes(b"PAR1 no")
    page = pressure_customers.page(artefact(), Ask(tables=tmp_path))
    assert blocks.table(page, "customers") is None
    assert page.blocks[0].command == "tactful report pressure"


def test_a_sum_without_an_interval_is_shown_bare():
    worth = Worth(customers=1, contacts=1, not_worth=0, brought=Total(value=3), harm=Total(value=1), net=Total(value=2),
                  sentence="How far off that may be cannot be told.")  # fmt: skip
    one = artefact()
    one["guard"]["worth"] = worth.model_dump()
    assert table(pressure.page(one, Ask()), "guard-worth").rows[2][1] == Estimate(2, None, None)
    assert "How far off that may be cannot be told." in standalone.html(one)
