"""What the contacts of a simulated market really did, by living its days twice with the same luck.

Customers do not touch one another and luck is by counter, so one copy of the market in which every contact drawn in a
week is made, and one in which every one is withheld, tell of each of them what it changed; whatever else happens
(earlier contacts, later ones by the same policy) is alike. In the same way the whole programme is played for everybody
and for nobody.
"""

from dataclasses import dataclass, replace

import numpy as np

from features.clock import DAY
from features.simulate import events as ev
from features.simulate.actions import ACTION_OF, ACTIONS
from features.simulate.holding import Holding
from features.simulate.policy import SILENCE, Uniform
from features.simulate.withholding import Withholding

EVERY, DAYS = 7, 28
#: Decisions are made at nine in the morning.
_HOUR = 9 * DAY // 24
_MEASURED = {"goal": ev.PURCHASE, "money": ev.PURCHASE, "opt_out": ev.OPTED}


@dataclass(frozen=True)
class Programme:
    """The policy that `tactful simulate --policy random --every 7 --withhold W --holdout H` plays after silent days."""

    silent: int
    days: int
    rate: float
    withhold: float
    holdout: float
    seed: int

    def policy(self, holdout=None):
        inner = Withholding(Uniform(self.rate, EVERY, self.seed), self.withhold, self.seed)
        return Holding(inner, self.holdout if holdout is None else holdout)


class Forced:
    """Another policy, what it drew up to a day made by everybody, or withheld from everybody."""

    def __init__(self, policy, until, made):
        self.policy, self.until, self.made, self.name = policy, until, made, policy.name

    def decide(self, view):
        choice = self.policy.decide(view)
        if view.day >= self.until:
            return choice
        treatment = drawn(choice) if self.made else np.full_like(choice.treatment, SILENCE)
        return replace(choice, treatment=treatment)


def drawn(choice):
    """int16[n]: what was drawn for each customer, withheld or not."""
    return np.where(choice.ghost == SILENCE, choice.treatment, choice.ghost).astype(np.int16)


def lived(market, policy, days):
    """Plays on; (days as they were told, rows of what was bought and of who opted out)."""
    told, rows = [], []

    def keep(day):
        told.append(day)
        rows.append(day.news.rows(np.isin(day.news.kind, (ev.PURCHASE, ev.OPTED))).copy())

    market.play(policy, days, sink=keep)
    return told, ev.together(rows)


def within(rows, since, customers):
    """What each customer did within DAYS of `since` int[n] (micros from day 0; -1 for nobody): by measure float[n]."""
    at = (rows.day.astype(np.int64) * 86_400 + rows.second) * 1_000_000
    start = since[rows.customer]
    there = (start >= 0) & (at >= start) & (at < start + DAYS * DAY)
    found = {}
    for measure, kind in _MEASURED.items():
        mine = there & (rows.kind == kind)
        worth = np.round(rows.value[mine].astype(np.float64), 2) if measure == "money" else np.ones(int(mine.sum()))
        total = np.bincount(rows.customer[mine], worth, customers)
        found[measure] = total if measure == "money" else (total > 0).astype(float)
    return found


def of_contacts(market, plan):
    """{action: {measure: (effects of each drawn contact float[k])}} of contacts whose DAYS are over by the end.

    `market` stands at the morning of the first day that is not silent.
    """
    main, end, policy = market.copy(), plan.days, plan.policy()
    found = {action.name: {measure: [] for measure in _MEASURED} for action in ACTIONS}
    while main.day + DAYS < end:
        until = main.day + EVERY
        branches = [lived(main.copy(), Forced(policy, until, made), EVERY + DAYS) for made in (True, False)]
        told, _ = lived(main, policy, min(EVERY, end - main.day))
        since, what = np.full(len(main), -1), np.full(len(main), SILENCE)
        for day in told:
            rows = day.considered
            chosen = drawn(day.choice)[rows]
            mine = rows[chosen != SILENCE]
            since[mine], what[mine] = day.view.day * DAY + _HOUR, chosen[chosen != SILENCE]
        since[since + DAYS * DAY > end * DAY] = -1
        made, withheld = (within(rows, since, len(main)) for _, rows in branches)
        for action, name in enumerate(found):
            mine = (since >= 0) & (what != SILENCE) & (ACTION_OF[what] == action)
            for measure in _MEASURED:
                found[name][measure].append((made[measure] - withheld[measure])[mine])
    return {name: {m: np.concatenate(parts) for m, parts in by.items()} for name, by in found.items()}


def of_programme(market, plan):
    """{measure: effect of the whole programme on each customer who entered, DAYS after their first decision}."""
    told, contacted = lived(market.copy(), plan.policy(0.0), plan.days - market.day)
    _, left_alone = lived(market.copy(), plan.policy(1 - 1e-12), plan.days - market.day)
    since = entered(told, len(market), plan.days)
    ours, theirs = (within(rows, since, len(market)) for rows in (contacted, left_alone))
    return {measure: (ours[measure] - theirs[measure])[since >= 0] for measure in _MEASURED}


def entered(told, customers, days):
    """int64[n]: each customer's first decision in which a contact was possible; -1 where its DAYS are not over."""
    since = np.full(customers, -1)
    for day in reversed(told):
        since[day.considered[day.view.reachable[day.considered].any(axis=1)]] = day.view.day * DAY + _HOUR
    since[since + DAYS * DAY > days * DAY] = -1
    return since
