"""The whole programme: customers as assigned, universal holdout against the rest, on the goal.

A customer enters at the first decision in which a contact was possible at all (the distribution before the holdout
acted held an action), which is known alike for both groups. From then on they count as assigned, contacted or not.
Outcomes are goal interactions, never clicks and never anything tied to a decision.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from features import clock
from features.clock import DAY
from training.reports import experiment, statistics, wording
from training.reports.artefact import Assignment, Outcome
from training.reports.effects import Return
from training.reports.experiment import Ongoing
from training.reports.statistics import Known, Sample
from training.reports.uplift import planned, returns
from training.reports.uplift.drawn import BEFORE, costs
from training.reports.uplift.log import Log
from training.reports.wording import Words

CONTROL, TREATED = "the holdout", "Contacts"
#: The comparison is planned for everybody who was known before it began, or came in its first weeks; the pace is that
#: of the last ones.
PACE_DAYS = 28

METHOD = [
    "A customer enters the comparison at the first decision in which a contact was possible, held out or not, and "
    "counts in that group ever after, whether or not a contact was made. Success is a goal interaction in the days "
    "after that moment, read alike for both groups; only customers whose days are over are counted. Where the holdout "
    "began later than the log, customers enter at their first such decision since.",
]


@dataclass(frozen=True)
class Entries:
    """Who entered the comparison (persons' positions in the log), when (micros), and whether they were held out.

    `share`: with what chance each was to be, by the policy that made the decision. `since`: when the holdout as it is
    began, where that was later than the log; decisions before it do not count.
    """

    person: np.ndarray
    at: np.ndarray
    held_out: np.ndarray
    share: np.ndarray
    since: int | None = None

    def __len__(self) -> int:
        return len(self.at)

    def rows(self, chosen: np.ndarray) -> "Entries":
        """The same of some of them."""
        return Entries(self.person[chosen], self.at[chosen], self.held_out[chosen], self.share[chosen], self.since)

    @property
    def weight(self) -> np.ndarray | None:
        """For how many customers not held out each one held out stands; None where that is the same for all of them.

        Where the share changed, those held out are of later customers more often than the others are.
        """
        if not len(self) or np.ptp(self.share) < 1e-12:
            return None
        return np.where(self.held_out, (1 - self.share) / self.share, 1.0)


def entries(log: Log) -> Entries:
    """Each person's first decision in which an action that sells could have been drawn, before the holdout acted.

    Decisions from before anybody was held out, where there are more of them than chance explains, were made without a
    holdout: then everybody enters anew once it began, or who was decided about earlier would count as not held out. So
    they do where a policy let go whom the one before held out, and where a policy held nobody out.
    """
    table = log.decided.filter(log.decided["possible"])
    at = table["at"].to_numpy()
    person = log.person(table["customer_id"]) if len(table) else np.zeros(0, np.int64)
    held = np.array(table["arm"].to_pylist(), object) == "holdout"
    share, since = _planned(log, table)
    rows = Entries(person, at, held, share)
    if since is not None:
        rows = rows.rows(at >= since)
    found = _entered(rows, since)
    began = int(rows.at[rows.held_out].min()) if rows.held_out.any() else None
    if began is None or not unlikely(int((found.at < began).sum()), float(found.share.mean())):
        return found
    return _entered(rows.rows(rows.at >= began), began)


def _planned(log: Log, table: pa.Table) -> tuple[np.ndarray, int | None]:
    """(the share that each decision's policy held out, from when on decisions count; None: all do)."""
    now, at = log.playbook.policy.holdout, table["at"].to_numpy()
    stated, which = planned.of_rows(log.workspace, table["policy_version"], log.playbook.policy)
    changed = {(one.holdout.share, one.holdout.salt) for one in stated} - {(now.share, now.salt)}
    if not changed or not 0 < now.share < 1:
        return np.full(len(table), now.share), None
    share = np.array([one.holdout.share for one in stated])[which]
    salt = np.array([one.holdout.salt for one in stated], object)[which]
    nobody = at[(share <= 0) | (share >= 1)]
    since = [planned.let_go(share, salt, at), int(nobody.max()) + 1 if len(nobody) else None]
    return share, max((each for each in since if each is not None), default=None)


def _entered(rows: Entries, since: int | None) -> Entries:
    """Everybody's first row."""
    order = np.lexsort((rows.held_out, rows.at, rows.person))
    first = order[np.flatnonzero(np.diff(rows.person[order], prepend=-1))]
    return replace(rows.rows(first), since=since)


def unlikely(customers: int, share: float) -> bool:
    """Whether chance would not have left out so many customers in a row where it holds out this share."""
    return 0 < share < 1 and customers * math.log1p(-share) < math.log(statistics.RATIO_ALARM)


@dataclass(frozen=True)
class Programme:
    """What the holdout says: None where nobody entered, nobody is held out, or nobody's days are over."""

    entered: Entries
    complete: np.ndarray
    share: float
    assignment: Assignment | None
    outcomes: list[Outcome]
    returns: Return | None

    def weekly(self, until: int) -> float | None:
        """Customers who entered, a week, in the last PACE_DAYS before `until`; None where nobody did."""
        count = int((self.entered.at >= until - PACE_DAYS * DAY).sum())
        return 7 * count / PACE_DAYS if count else None


def programme(log: Log, days: int, smallest_lift: float) -> Programme:
    """The whole comparison, `days` after each customer's entry."""
    share, entered = log.playbook.policy.holdout.share, entries(log)
    complete = entered.at + days * DAY <= log.known_until
    assigned = assignment(entered)
    compared = complete.any() and (assigned is not None or entered.held_out.any())
    outcomes = _outcomes(log, entered, complete, days, smallest_lift) if compared else []
    back = _returns(log, entered.rows(complete), outcomes[1], days) if outcomes else None
    return Programme(entered, complete, share, assigned, outcomes, back)


def assignment(entered: Entries) -> Assignment | None:
    """None where nobody entered, nobody is to be held out, or nobody was.

    Each customer is expected to be held out as often as the policy of their first decision says.
    """
    held, share = int(entered.held_out.sum()), float(entered.share.mean()) if len(entered) else 0.0
    if not 0 < share < 1 or (not held and unlikely(len(entered), share)):
        return None
    shares, place = np.unique(entered.share, return_inverse=True)
    out = np.bincount(place, entered.held_out, len(shares)).astype(np.int64)
    p = statistics.sample_ratios(
        np.column_stack([out, np.bincount(place) - out]), np.column_stack([shares, 1 - shares])
    )
    counts, expected = {CONTROL: held, TREATED: len(entered) - held}, {CONTROL: share, TREATED: 1 - share}
    return experiment.assignment("the universal holdout", CONTROL, counts, expected, {}, p=p)


def _outcomes(log: Log, entered: Entries, complete: np.ndarray, days: int, smallest_lift: float) -> list[Outcome]:
    """The goal's rate and its money, for customers whose days are over; what they did before takes noise away."""
    done, going = entered.rows(complete), ongoing(log, entered)
    number, money = log.goals.within(done.person, done.at, done.at + days * DAY)
    earlier, spent = log.goals.within(done.person, done.at - BEFORE * DAY, done.at)
    goal = goal_name(log)
    measures = (
        (Words(f"{goal} within {days} days", "rate"), (number > 0).astype(np.float64), earlier),
        (Words(f"money from {goal} within {days} days", "amount", log.settings.currency), money, spent),
    )
    return [
        experiment.outcome(
            words, CONTROL, groups(values, done), smallest_lift, known_groups(before, values, done), going
        )
        for words, values, before in measures
    ]


def groups(values: np.ndarray, of: Entries) -> dict[str, Sample]:
    """Both groups' samples."""
    held, weight = of.held_out, of.weight
    return {CONTROL: Sample.weighted(values[held], None if weight is None else weight[held]),
            TREATED: Sample.of(values[~held])}  # fmt: skip


def known_groups(before: np.ndarray, values: np.ndarray, of: Entries) -> dict[str, Known] | None:
    """What was known of both groups before; None where that is the same for everybody, as without history."""
    if not len(before) or np.ptp(before) == 0:
        return None
    held, weight = of.held_out, of.weight
    return {CONTROL: Known.weighted(before[held], values[held], None if weight is None else weight[held]),
            TREATED: Known.of(before[~held], values[~held])}  # fmt: skip


def ongoing(log: Log, entered: Entries) -> Ongoing:
    """The plan, of counts alone, and how many customers enter a week."""
    start = int(entered.at.min())
    early = int((entered.at < start + PACE_DAYS * DAY).sum())
    known = int((log.seen_first < start).sum())
    lately = float((entered.at >= log.known_until - PACE_DAYS * DAY).sum()) / (PACE_DAYS / 7)
    return Ongoing(max(early, known, 1), lately)


def _returns(log: Log, done: Entries, money: Outcome, days: int) -> Return | None:
    """Of all contacts made to the customers counted, within their days."""
    effect, verdict = money.comparisons[0].effect, money.comparisons[0].verdict
    if effect is None:
        return None
    made, spent = contacts_of(log, done, days)
    treated = int((~done.held_out).sum())
    return returns.of(effect, verdict, treated, made, spent, log.settings.fatigue.margin, log.settings.currency)


def contacts_of(log: Log, done: Entries, days: int) -> tuple[int, float]:
    """(contacts made, what they cost) to customers not held out, within the days after their entry."""
    table = log.decided
    table = table.filter(table["drawn"].is_valid())
    made = ~table["withheld"].to_numpy(zero_copy_only=False).astype(bool)
    entry = np.full(log.people, -1, np.int64)
    entry[done.person[~done.held_out]] = done.at[~done.held_out]
    person, at = log.person(table["customer_id"]) if table.num_rows else np.zeros(0, np.int64), table["at"].to_numpy()
    since = entry[person]
    rows = np.flatnonzero(made & (since >= 0) & (at >= since) & (at < since + days * DAY))
    chosen, priced = table.take(rows), costs(log)
    pairs = zip(chosen["drawn"].to_pylist(), chosen["channel"].to_pylist(), strict=True)
    return len(rows), float(sum(priced.get(pair, 0.0) for pair in pairs))


def headline(found: Programme, days: int) -> str:
    """The first outcome's sentence, or why there is none."""
    entered = found.entered
    if not len(entered):
        return "Nothing to compare yet: history holds no decision in which a contact was possible. Run `tactful sync`."
    if not 0 < found.share < 1:
        return "The total effect cannot be known: the contact policy holds nobody out. Set `holdout: {share: 0.05}`."
    if found.assignment is None:
        return (
            f"The total effect is not known yet: none of the {len(entered):,} customers in this log was held out. The "
            f"contact policy now holds out {wording.planned_percent(found.share)}, so decisions from now on will tell."
        )
    alarm = found.assignment.alarm
    if not found.outcomes and not alarm:
        return (
            f"Too early to tell: {len(entered):,} customers are in the comparison, {int(entered.held_out.sum()):,} of "
            f"them held out, and the first {days} days end on {date(int(entered.at.min()) + days * DAY)}."
        )
    return wording.headline(found.outcomes, alarm)


def notes(log: Log, found: Programme, days: int) -> list[str]:
    """What a careful reader must know about who is counted."""
    entered = found.entered
    if not found.outcomes and found.assignment is None:  # nothing is compared
        return []
    said = []
    table = log.decided.filter(log.decided["drawn"].is_valid())
    made = table.filter(np.logical_not(table["withheld"].to_numpy(zero_copy_only=False).astype(bool)))
    if made.num_rows:
        free = entered.person[~entered.held_out]
        reached = np.isin(free, log.person(made["customer_id"]))
        said.append(
            f"Of {len(free):,} customers who were not held out, {int(reached.sum()):,} have been contacted or shown "
            "something; the others count as assigned, so the figures are the effect of the whole programme."
        )
    if waiting := int((~found.complete).sum()):
        said.append(f"{waiting:,} customers entered less than {days} days ago and are not counted yet.")
    if entered.since is not None:
        said.append(began(entered.since))
    if 0 < found.share < 1:
        said.append(f"The contact policy holds out {wording.planned_percent(found.share)} of customers.")
    return said + changed(entered)


def changed(entered: Entries) -> list[str]:
    """What a reader must know where the share held out changed on the way."""
    if entered.weight is None:
        return []
    shares = wording.listed([wording.planned_percent(share) for share in np.unique(entered.share)])
    return [
        f"The share held out changed ({shares}): each customer held out stands for as many others as the policy of "
        "their first decision meant, and stays in the group of that decision."
    ]


def began(since: int) -> str:
    """What a reader must know of a holdout that is younger than the log."""
    return f"The holdout as it is began on {date(since)}: customers count from their first decision since then."


def goal_name(log: Log) -> str:
    """As the goal is spoken of."""
    return " or ".join(log.settings.goal)


def date(us: int) -> str:
    """The UTC day of an instant."""
    return clock.isoformat(us)[:10]
