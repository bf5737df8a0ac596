"""Learned policies at play: features of the morning, worth from a learner, the answer from the vectorised engine."""

from functools import cache
from pathlib import Path

import numpy as np
import yaml

from features import clock
from features.interactions import CHANNELS
from features.simulate import events as ev
from features.simulate.actions import COST_OF, TEMPLATE, TREATMENTS
from features.simulate.policy import SILENCE, Choice, View
from serving.decisions.many import Board, Crowd, decided
from serving.decisions.many.crowd import NEVER, SALES, periods
from serving.decisions.many.draw import RULE
from serving.decisions.policy import Actions, ContactPolicy, Playbook
from training.market.contacts import Made
from training.market.guesses import Guesses
from training.market.learner import Learner
from training.market.ledger import Ledger
from training.market.observed import COLUMN, Known

#: The policy file with the guard.
POLICY = Path(__file__).parent / "policy.yaml"
#: Decisions are made in the morning, before the first contact.
_HOUR = 9 * clock.HOUR
#: What does not wait for next week.
_TROUBLE = (ev.COMPLAINT, ev.CASE_OPENED)
#: 1970-01-01, in days of which 0001-01-01 is the first.
_YEAR_ONE = 719_163


@cache
def board(guarded: bool) -> Board:
    """The market's actions under the policy file, or under one that only knows consent."""
    told = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    if not guarded:
        told = {key: told[key] for key in ("zone", "consent", "holdout", "withholding", "exploration", "harm")}
        told["open_case"] = {"suppresses": []}
    actions = Actions(**yaml.safe_load(TEMPLATE.read_text(encoding="utf-8")))
    return Board.of(Playbook(actions, ContactPolicy(**told)))


class Learned:
    """What every player here does each morning; a subclass says what treatments are worth, in money.

    Everybody is decided about once a week, cohort after cohort, as in the log. Who is `prompt` also decides about those
    who told of trouble the day before: what helps them is worth most right away.
    """

    name = "learned"
    guarded, prompt = True, False

    def __init__(self, learner: Learner, ledger: Ledger, contacts: Made) -> None:
        self.learner, self.ledger, self.contacts = learner, ledger.copy(), contacts.copy()
        self.board = board(self.guarded)
        keys = [candidate.key for candidate in self.board.candidates]
        self.back = np.array([TREATMENTS.index(key) for key in keys])
        self.of_open = [CHANNELS.index(channel) for channel, _ in self.board.consents]

    def decide(self, view: View) -> Choice:
        self.ledger.add(view.news, view.day - 1)
        self.contacts.add(view.news, view.day - 1)
        rows = np.flatnonzero(self.asked(view) & view.known)
        treatment = np.full(view.customers, SILENCE, np.int16)
        if len(rows):
            treatment[rows] = self.answers(view, rows, self.ledger.features_of(rows, view.at))
        return Choice(treatment, np.ones(view.customers, np.float32))

    def asked(self, view: View) -> np.ndarray:
        """bool[n]: who is decided about this morning."""
        turn = np.arange(view.customers) % self.ledger.cohorts == -view.day % self.ledger.cohorts
        if self.prompt:
            turn[view.news.customer[np.isin(view.news.kind, _TROUBLE)]] = True
        return turn

    def answers(self, view: View, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
        """int16: the treatment of each of these customers."""
        by, crowd = self.board, self.crowd(view, rows, features)
        gain, harm = self.gains(view, rows, features)
        learned = gain[:, self.back] / (by.c * by.v * by.lever)
        drawn = decided(
            by,
            crowd,
            np.zeros_like(learned),
            np.full(len(rows), 0.5),
            refused=self.refused(view, gain, crowd),
            learned=learned,
            harms=harm[:, self.back],
        )
        return np.where(drawn.pick < 0, SILENCE, self.back[drawn.pick]).astype(np.int16)

    def gains(self, view: View, rows: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gain and harm of every treatment, float64[n, treatments], in money; the engine takes costs off."""
        return self.worth(self.learner.known(features, view.profile[rows]))

    def worth(self, known: Known) -> tuple[np.ndarray, np.ndarray]:
        """The same, from what a company makes of these customers' features."""
        raise NotImplementedError

    def refused(self, view: View, gain: np.ndarray, crowd: Crowd) -> np.ndarray | None:  # noqa: ARG002
        """int8[n, actions]: those that a rule refuses; None where there is no rule."""
        return None

    def crowd(self, view: View, rows: np.ndarray, features: np.ndarray) -> Crowd:
        """These customers as the guard knows them."""
        by, n = self.board, len(rows)
        now = np.full(n, view.at + _HOUR)
        suffers = (features[:, COLUMN["open_cases"]] > 0) & self.guarded
        open_ = np.stack([view.closed[rows] >> channel & 1 == 0 for channel in self.of_open], axis=1)
        return Crowd(
            now=now,
            shut=np.where(suffers, SALES, 0),
            factor=np.ones(n),
            open=open_,
            barred=np.zeros((n, len(by.actions)), np.bool_),
            answered=np.full((n, len(by.channels)), NEVER, np.int64),
            today=periods(now // clock.DAY + _YEAR_ONE),
            contacts=self.contacts.of(rows, by, self.ledger.start),
        )


class Guarded(Learned):
    """Gain less harm and less the price of load, under the policy file."""

    name, prompt = "uplift with guard", True

    def worth(self, known: Known) -> tuple[np.ndarray, np.ndarray]:
        worth = self.learner.worth(known)
        return worth.gain, worth.harm + worth.price


class Unguarded(Learned):
    """Whatever adds more than it costs, at every turn."""

    name, guarded = "uplift without guard", False

    def worth(self, known: Known) -> tuple[np.ndarray, np.ndarray]:
        gain = self.learner.worth(known).gain
        return gain, np.zeros_like(gain)


class PropensityFirst(Learned):
    """The treatment that is likeliest to be answered, for the `most` customers of the turn who are likeliest to."""

    name, guarded = "propensity-first", False

    def __init__(self, learner: Learner, ledger: Ledger, contacts: Made, most: int) -> None:
        super().__init__(learner, ledger, contacts)
        self.most = most

    def worth(self, known: Known) -> tuple[np.ndarray, np.ndarray]:
        gain = self.learner.answers(known) + COST_OF  # costs are no matter to who counts clicks
        return gain, np.zeros_like(gain)

    def refused(self, view: View, gain: np.ndarray, crowd: Crowd) -> np.ndarray | None:  # noqa: ARG002
        asks = self.board.asks[np.argsort(self.back)]
        best = np.where(crowd.open[:, asks], gain - COST_OF, 0.0).max(axis=1)
        out = np.ones(len(best), bool)
        out[np.argsort(-best, kind="stable")[: self.most]] = False
        return np.repeat(np.where(out, RULE, 0).astype(np.int8)[:, None], len(self.board.actions), axis=1)


class Informed(Guarded):
    """A ceiling: knows every equation and number of the market, and of customers what their log tells (guesses.py).

    It decides on the same mornings and under the same policy file as who learned; only the effects are given.
    """

    name = "all that behaviour tells"

    def __init__(self, learner: Learner, ledger: Ledger, contacts: Made, guesses: Guesses) -> None:
        super().__init__(learner, ledger, contacts)
        self.guesses = guesses

    def gains(self, view: View, rows: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        seen = self.guesses.evidence
        for noted in seen.add(view.news, view.day - 1):
            self.guesses.live(noted)
        net = self.guesses.expected(view.day, rows, view.closed)
        return np.nan_to_num(net, nan=-1.0) + COST_OF, np.zeros_like(net)
