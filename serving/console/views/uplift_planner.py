"""How many customers a comparison needs, and how many weeks until they have come: a form that needs no script.

The arithmetic is the reports' own (serving/decisions/planning.py); what stands in the form at first is what the report
measured. In a file, which has no server to ask, the table of lifts stands alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.digits import decimals
from serving.console.blocks import (
    Block,
    Cell,
    Column,
    Field,
    Form,
    Section,
    Sentences,
    Table,
    Text,
    Tile,
    Tiles,
    href,
)
from serving.console.effects import Found
from serving.console.views import Ask, uplift_planner_ghosts
from serving.decisions import planning

#: Lifts that the table tells about, beside the one asked for.
LIFTS = (0.02, 0.05, 0.1, 0.2, 0.5)
_LIFT, _POWER, _SHARE = 10.0, 80.0, 5.0
#: Beyond this nobody waits.
_MOST_WEEKS = 520


@dataclass(frozen=True)
class Asked:
    """What is planned for: all in the units of the form (per cent, except a mean and its deviation)."""

    kind: str
    name: str
    unit: str | None
    baseline: float
    deviation: float | None
    lift: float
    held: float
    power: float
    weekly: float | None
    #: What customers did before explains so much of the noise, in per cent; of amounts, `deviation` is what is left.
    known: float = 0.0

    def needed(self, lift: float) -> int:
        """Customers in all for a relative lift (0.1 is 10%)."""
        share = self.held / 100
        if self.kind == "rate":
            before = self.baseline / 100
            after = before * (1 + lift)
            left = 1 - self.known / 100
            spread = left * before * (1 - before), left * max(after * (1 - after), 0.0)
            return planning.needed(*spread, share, before * lift, self.power / 100)
        spread_of = (self.deviation or 0.0) ** 2
        return planning.needed(spread_of, spread_of, share, self.baseline * lift, self.power / 100)

    def possible(self, lift: float) -> bool:
        """Whether there can be such a lift at all: no rate rises above 100%."""
        return self.kind != "rate" or self.baseline * (1 + lift) < 100

    def weeks(self, customers: int) -> int | None:
        return None if not self.weekly else planning.weeks(customers, self.weekly)


def section(artefact: Mapping[str, Any], ask: Ask) -> Block | None:
    """None where nothing was measured that could be planned for."""
    outcomes = [one for one in artefact["outcomes"] if one["control"]["n"]]
    if not outcomes:
        return None
    asked, fields = read(ask.query, outcomes, artefact)
    form = Form(fields, "Work it out", href("uplift") + "#planner", label="Sample-size planner")
    blocks: list[Block] = [Text(_WHAT, quiet=True), form]
    if asked is None:
        blocks.append(Sentences(["Correct what is marked above, and ask again."]))
    else:
        blocks += [
            Tiles(_tiles(asked)),
            _table(asked),
            *uplift_planner_ghosts.blocks(artefact, asked.lift, asked.power),
        ]
    return Section(
        "planner", "How many customers, how many weeks?", blocks, lead=None if asked is None else said(asked)
    )


_KNOWN = "what customers did before takes it away (CUPED); left out: none"
_WHAT = (
    "Two groups, compared once at the end by a two-sided test at 5%. Whoever wants to stop at the first good day has "
    "to go by the wider interval that stays valid at every look, and needs more."
)


def read(
    query: Mapping[str, str], outcomes: list[Found], artefact: Mapping[str, Any]
) -> tuple[Asked | None, list[Field]]:
    """What is asked for, None where an answer makes no sense; and the form with what is wrong said beside it."""
    place = query.get("measure", "0")
    chosen = outcomes[int(place)] if place.isdecimal() and int(place) < len(outcomes) else outcomes[0]
    rate = chosen["kind"] == "rate"
    told = dict(query) if query.get("measure", "0") == query.get("about", query.get("measure", "0")) else {}
    defaults = _defaults(chosen, artefact)
    unit = "%" if rate else chosen["unit"] or "a customer"
    numbers = [
        _Number("baseline", f"Without contacts ({unit})", 0.0001, 99.99 if rate else 1e9),
        _Number("known", "Noise that history explains (%)", 0.0, 99.0, needed=False, left_out=_KNOWN)
        if rate
        else _Number("deviation", "Its standard deviation, less what history explains", 0.0001, 1e12),
        _Number("lift", "Lift worth finding (% of that)", 0.1, 1000.0),
        _Number("held", "Share held out (%)", 0.1, 99.9),
        _Number("power", "Chance to find it (%)", 50.0, 99.9),
        _Number("weekly", "Customers a week", 1.0, 1e9, needed=False),
    ]
    values, fields = {}, [
        Field("measure", "Measure", "select", str(outcomes.index(chosen)), [
            (str(k), one["name"]) for k, one in enumerate(outcomes)
        ]),
        Field("about", "", "hidden", str(outcomes.index(chosen))),
    ]  # fmt: skip
    for one in numbers:
        text = told.get(one.name, defaults.get(one.name, "")).strip()
        value, error = one.read(text)
        values[one.name] = value
        shown = "" if value is None else f"{value:.10g}"  # a field of numbers takes nothing else
        fields.append(
            Field(one.name, one.label, "number", shown, help=one.help, minimum=one.low, maximum=one.high, error=error)
        )
    wrong = any(field.error for field in fields)
    if wrong:
        return None, fields
    asked = Asked(chosen["kind"], chosen["name"], chosen["unit"], values["baseline"] or 0.0, values.get("deviation"),
                  values["lift"] or 0.0, values["held"] or 0.0, values["power"] or 0.0, values["weekly"],
                  values.get("known") or 0.0)  # fmt: skip
    if not asked.possible(asked.lift / 100):
        error = f"{asked.baseline:.6g}% cannot rise by {asked.lift:.6g}%: that would be above 100%"
        return None, [field if field.name != "lift" else Field(**{**vars(field), "error": error}) for field in fields]
    return asked, fields


@dataclass(frozen=True)
class _Number:
    """A number of the form and its bounds."""

    name: str
    label: str
    low: float
    high: float
    needed: bool = True
    left_out: str = "who enter the comparison; left out, no weeks are told"

    @property
    def help(self) -> str | None:
        return None if self.needed else self.left_out

    def read(self, text: str) -> tuple[float | None, str | None]:
        """The number, or what is wrong with it. A comma is a decimal point here: no thousands are written."""
        if not text:
            return None, "a number is needed" if self.needed else None
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            return None, f"{text[:40]!r} is no number"
        if not self.low <= value <= self.high:
            return None, f"give a number from {self.low:g} to {self.high:,.10g}"
        return value, None


def _defaults(outcome: Found, artefact: Mapping[str, Any]) -> dict[str, str]:
    """What the report measured, as it would be typed."""
    control = outcome["control"]
    found = {"lift": f"{_LIFT:g}", "power": f"{_POWER:g}", "held": f"{_share(artefact):.4g}"}
    if outcome["kind"] == "rate":
        found["baseline"] = f"{100 * control['mean']:.4g}"
        found["known"] = f"{100 * _explained(outcome):.3g}" if _explained(outcome) > 0 else ""
    else:
        found |= {"baseline": _typed(control["mean"]), "deviation": _typed(control["variance"] ** 0.5)}
    if weekly := artefact.get("weekly"):
        found["weekly"] = str(max(1, round(weekly)))
    return found


def _typed(amount: float) -> str:
    """An amount with cents; a small one keeps four digits."""
    return f"{amount:.2f}" if abs(amount) >= 1 else f"{amount:.4g}"


def _explained(outcome: Found) -> float:
    """The share of the noise that what customers did before took away (CUPED), where it was measured."""
    compared = outcome.get("comparisons") or [{}]
    return float(compared[0].get("explained") or 0.0)


def _share(artefact: Mapping[str, Any]) -> float:
    """The control's share as planned, in per cent."""
    assigned = artefact.get("assignment")
    if not assigned:
        return _SHARE
    shares = {one["name"]: float(one["expected_share"]) for one in assigned["arms"]}
    return 100 * shares.get(assigned["control"], _SHARE / 100)


def said(asked: Asked) -> str:
    """The answer in one sentence."""
    customers = asked.needed(asked.lift / 100)
    what = (
        f"To find a lift of {asked.lift:.6g}% over {_level(asked)} in {asked.name} with a chance of {asked.power:.6g}% "
        f"and {asked.held:.6g}% of customers held out, {customers:,} customers are needed"
    )
    weeks = asked.weeks(customers)
    if weeks is None:
        return f"{what}."
    pace = f"at {asked.weekly:,.0f} a week"
    if weeks > _MOST_WEEKS:
        return f"{what}: more than ten years {pace}."
    return f"{what}: {weeks:,} {'week' if weeks == 1 else 'weeks'} {pace}."


def _level(asked: Asked) -> str:
    if asked.kind == "rate":
        return f"{asked.baseline:.6g}%"
    digits = decimals(asked.baseline, asked.baseline / 50, money=bool(asked.unit))
    return f"{asked.baseline:,.{digits}f}{f' {asked.unit}' if asked.unit else ''}"


def _tiles(asked: Asked) -> list[Tile]:
    customers = asked.needed(asked.lift / 100)
    held, weeks = round(customers * asked.held / 100), asked.weeks(customers)
    tiles = [Tile("Customers in all", customers, "count", f"{held:,} of them held out")]
    return tiles if weeks is None else [*tiles, Tile("Weeks until all have come", weeks, "count")]


def _table(asked: Asked) -> Table:
    """The same for other lifts: small ones cost most."""
    rows: list[list[Cell]] = []
    for lift in sorted({*LIFTS, asked.lift / 100}):
        if not asked.possible(lift):
            continue
        customers = asked.needed(lift)
        change = asked.baseline * lift / (100 if asked.kind == "rate" else 1)
        rows.append([lift, change, customers, *([asked.weeks(customers)] if asked.weekly else [])])
    size = Column("Change, percentage points", "points") if asked.kind == "rate" else Column(
        "Change", "signed_money" if asked.unit else "number", unit=asked.unit
    )  # fmt: skip
    columns = [Column("Lift", "percent"), size, Column("Customers", "count")]
    if asked.weekly:
        columns.append(Column("Weeks", "count"))
    return Table(
        "planner", "What other lifts take", columns, rows, note="Half the lift takes four times the customers."
    )
