"""Artefacts of uplift and overview with everything in them, or nothing, made by the classes that jobs write."""

from training.evaluate import Interval
from training.reports import always_valid, statistics
from training.reports.artefact import Arms, Rival, UpliftReport
from training.reports.effects import Breakdown, Cell, Estimate, Found, GhostCheck, Ghosts, Return
from training.reports.experiment import assignment, outcome
from training.reports.overview.artefact import Month, NextWeek, OverviewReport, Standing, Step, Total
from training.reports.statistics import Sample
from training.reports.uplift_targeting.artefact import Group, Point, Ranking, Targeting, Tenth, Trait
from training.reports.wording import Words

NOW = "2026-01-03T06:00:00Z"


def rate(share, n=5000):
    return Sample(n, share, share * (1 - share) * n / (n - 1))


def amount(mean, n=5000, spread=30.0):
    return Sample(n, mean, spread**2)


def effect(control, treated, progress=0.7):
    from dataclasses import replace

    found = statistics.compare(control, treated)
    return replace(found, always=always_valid.beside(found, progress))


def found(measure, control, treated, verdict, sentence, weeks=None, few=None):
    kind = "amount" if measure == "money" else "rate"
    name = {"goal": "orders", "money": "sales", "opt_out": "opt-outs"}[measure]
    return Found(
        measure=measure, name=name, kind=kind, unit="EUR" if kind == "amount" else None,
        better="less" if measure == "opt_out" else "more", control=control, treated=treated,
        effect=None if few else effect(control, treated), p_adjusted=None if few else 0.03, verdict=verdict, reason=few,
        explained=0.2, weeks=weeks, sentence=sentence,
    )  # fmt: skip


def estimate(value, half):
    return Estimate(
        value=value, low=value - half, high=value + half, always_low=value - 1.5 * half, always_high=value + 1.5 * half
    )


def returns(contacts=3104, cost=310.0, extra=4210.0):
    return Return(
        contacts=contacts, cost=cost, margin=0.3, unit="EUR",
        extra=estimate(extra, 2000), kept=estimate(extra * 0.3, 600),
        profit=estimate(extra * 0.3 - cost, 600), roi=estimate((extra * 0.3 - cost) / cost, 2.0), verdict="open",
        sentence=f"Whether {contacts:,} contacts paid for themselves is open: they cost {cost:,.0f} EUR.",
    )  # fmt: skip


def cell(name, action=None, lift=0.03, verdict="raised", weeks=0.0, few=None):
    goals = found("goal", rate(0.18), rate(0.18 + lift), verdict, f"{name} and orders.", weeks, few)
    money = found("money", amount(11.0), amount(11.4), "undecided", f"{name} and sales.", 5.0)
    out = found("opt_out", rate(0.01), rate(0.02), "raised", f"{name} raised opt-outs.")
    return Cell(
        name=name, action=action, contacts=3104, ghosts=312, customers=2900, found=[goals, money, out],
        returns=returns(), sentence=goals.sentence,
    )  # fmt: skip


def breakdown(dimension, title, label, cells, sentence):
    return Breakdown(dimension=dimension, title=title, label=label, cells=cells, sentence=sentence)


def ghosts(alarm=False):
    actions = [
        cell("Winback voucher", "winback_voucher", 0.04),
        cell("Newsletter", "newsletter", 0.002, "undecided", 5.2),
        cell("Replenish", "replenish", -0.03, "lowered"),
        cell("Loyalty call", "loyalty_call", 0.0, "too_few", None, "12 contacts in the smaller group"),
    ]
    months = [cell(f"2025-{month:02}", None, 0.01 * (month - 7)) for month in range(8, 13)]
    return Ghosts(
        days=28, contacts=12304, ghosts=1290, waiting=410,
        check=GhostCheck(
            drawn=13594, ghosts=1290, expected=1301.4, p=0.7, alarm=alarm,
            sentence="As many drawn contacts were withheld as planned: 1,290 (expected 1,301).",
        ),
        total=cell("All contacts"),
        breakdowns=[
            breakdown("action", "By action", "Action", actions, "By action: Winback voucher raised orders."),
            breakdown("channel", "By channel", "Channel", [cell("email"), cell("phone")], "By channel: both did."),
            breakdown("segment", "By segment", "Segment", [cell("gold"), cell("silver")], "By segment: both did."),
            breakdown("period", "By month", "Month", months, "By month: the last two raised orders."),
        ],
        headline="A contact brought 0.84 EUR more sales in 28 days (likely between 0.31 and 1.37).",
        notes=["410 decisions are younger than 28 days and are not counted yet."],
    )  # fmt: skip


def tenths(top, bottom):
    made = []
    for place in range(1, 11):
        value = top + (bottom - top) * (place - 1) / 9
        verdict = "raised" if value > 0.02 else "lowered" if value < -0.02 else "undecided"
        made.append(
            Tenth(
                customers=900, contacts=1200, predicted=value * 0.9,
                effect=Interval(value, value - 0.015, value + 0.015),
                p=0.001, p_adjusted=0.01, verdict=verdict, place=place, share=0.1,
            )
        )  # fmt: skip
    return made


def targeting(harmed=True):
    trait = Trait(
        feature="count_contact_7d", text="contacts in the last 7 days", unit="contacts", group=2.1, others=0.6,
        difference=1.2,
    )  # fmt: skip
    groups = [
        Group(
            customers=7040, contacts=9000, predicted=0.05, effect=Interval(0.052, 0.03, 0.07), p=1e-5, p_adjusted=1e-4,
            verdict="raised", kind="persuadable", share=0.88,
        ),
        Group(
            customers=960, contacts=1200, predicted=-0.03, effect=Interval(-0.031, -0.05, -0.012), p=0.001,
            p_adjusted=0.004, verdict="lowered" if harmed else "undecided", kind="sleeping_dog", share=0.12,
            traits=[trait],
        ),
    ]  # fmt: skip
    curve = [Point(share=0.0, gain=0.0, low=0.0, high=0.0)]
    curve += [
        Point(share=k / 20, gain=0.05 * (1 - (1 - k / 20) ** 2), low=0.05 * (1 - (1 - k / 20) ** 2) - 0.01 * (k / 20),
              high=0.05 * (1 - (1 - k / 20) ** 2) + 0.01 * (k / 20))
        for k in range(1, 21)
    ]  # fmt: skip
    ranking = Ranking(
        name="the best action for each", customers=8000, contacts=12000, effect=Interval(0.04, 0.03, 0.05),
        tenths=tenths(0.1, -0.05), curve=curve, over_random=Interval(0.01, 0.005, 0.015), groups=groups,
        sentence="Sorting customers by what the best action for each is expected to do works.",
    )  # fmt: skip
    alone = (
        "Leave alone 12% of customers: contacts lower orders by 3.1 percentage points (likely 1.2 to 5.0)."
        if harmed
        else "No group is shown to be harmed."
    )
    return Targeting(
        outcome="orders within 28 days", model="version 3 of the effects", judged="12,000 decisions",
        rankings=[ranking], leave_alone=alone, to_do="leave alone 12% of customers" if harmed else None,
        persuadable="Contact 88% of customers with the best action for each.", method=["Judged on later decisions."],
    )  # fmt: skip


def arms():
    rivals = [
        Rival(
            arm="random", play="random_eligible", title="Random eligible",
            found=[found("goal", rate(0.272, 900), rate(0.31, 9000), "raised", "It beats random eligible.")],
            sentence="Next best action beats random eligible on orders.",
        ),
        Rival(
            arm="propensity", play="propensity_only", title="Propensity only",
            found=[found("goal", rate(0.30, 900), rate(0.31, 9000), "undecided", "It does not beat it.")],
            sentence="Next best action is not shown to beat propensity only.",
        ),
    ]  # fmt: skip
    counts = {"next best action": 9000, "random": 900, "propensity": 900}
    return Arms(
        since="2025-10-01", days=28, rivals=rivals,
        assignment=assignment("the experiment", "next best action", counts, {**counts}, {}),
        headline="Next best action beats random eligible; against propensity only nothing is shown.",
    )  # fmt: skip


def uplift(alarm=False, harmed=True):
    """Everything there is."""
    counts = {"the holdout": 700 if alarm else 500, "Contacts": 9500}
    assigned = assignment("the universal holdout", "the holdout", counts, {"the holdout": 0.05, "Contacts": 0.95}, {})
    assert assigned.alarm is alarm
    measured = [
        outcome(
            Words("orders within 28 days", "rate"), "the holdout",
            {"the holdout": rate(0.2, 500), "Contacts": rate(0.23, 9500)},
        ),
        outcome(
            Words("money from orders within 28 days", "amount", "EUR"), "the holdout",
            {"the holdout": amount(11.0, 500), "Contacts": amount(13.0, 9500)},
        ),
    ]  # fmt: skip
    return UpliftReport(
        title="Uplift: shop", source="the history of shop", created_at=NOW, known_until=NOW, alarm=alarm,
        population="10,000 customers in the comparison.",
        headline="Do not rely on this report yet." if alarm else measured[0].sentence, assignment=assigned,
        outcomes=measured, returns=returns(12304, 1230.0, 9800.0), ghosts=ghosts(), arms=arms(),
        targeting=targeting(harmed), notes=["The contact policy holds out 5% of customers."],
        method=["Customers count as assigned."],
    )  # fmt: skip


def total(what, title, unit, better, control, treated, verdict, value, half, few=None):
    measure = {"orders": "goal", "money": "money", "kept": "goal", "opt_outs": "opt_out"}[what]
    one = found(measure, control, treated, verdict, f"{title} of the month.", few=few)
    return Total(
        what=what, title=title, unit=unit, better=better, customers=9500, found=one,
        total=None if few else estimate(value, half), sentence=f"{title} of the month.",
    )  # fmt: skip


def overview(alarm=False, nothing=False):
    totals = [
        total("orders", "Extra orders", None, "more", rate(0.2), rate(0.24), "raised", 412, 130),
        total("money", "Extra money", "EUR", "more", amount(11), amount(12), "undecided", 9800, 11000),
        total("kept", "Customers kept", None, "more", rate(0.7), rate(0.71), "undecided", 40, 90),
        total("opt_outs", "Opt-outs caused", None, "less", rate(0.01), rate(0.02), "too_few", 0, 0, "12 customers"),
    ]
    standings = {
        name: Standing(
            name=f"{name} by e-mail", action=name.lower(), channel="email", dimension="treatment", contacts=3104,
            extra=estimate(value, 1500), verdict=verdict, weeks=weeks, sentence=f"{name} by e-mail: {verdict}.",
        )
        for name, value, verdict, weeks in (
            ("Winback", 4210, "raised", 0.0), ("Newsletter", 100, "undecided", 5.0), ("Banner", -3000, "lowered", 0.0)
        )
    }  # fmt: skip
    months = [
        Month(month=f"2025-{k:02}", complete=k < 12, customers=9000, held_out=450, orders=estimate(50 * (k - 8), 90),
              money=estimate(900 * (k - 8), 2000) if k > 8 else None)
        for k in range(8, 13)
    ]  # fmt: skip
    return OverviewReport(
        title="Overview: shop", source="the history of shop", created_at=NOW, known_until=NOW, alarm=alarm,
        headline="Nudges brought 412 extra orders, likely between 217 and 607. Winback by e-mail earned most.",
        alarms=["The groups' sizes do not fit how customers should have been assigned."] if alarm else [],
        month="2025-12", month_name="December 2025", complete=True, population="9,500 customers and 500 held out.",
        totals=[] if nothing else totals, months=[] if nothing else months,
        best=[] if nothing else [standings["Winback"]], worst=[] if nothing else [standings["Banner"]],
        undecided=[] if nothing else [standings["Newsletter"]],
        next_week=NextWeek(
            sentence="Next week: stop banner by e-mail and give winback by e-mail more room.",
            steps=[Step(do="stop banner by e-mail", why="Banner by e-mail: lowered.", page="overview")],
        ),
        notes=["The month is over."], method=["Customers count as assigned."],
    )  # fmt: skip
