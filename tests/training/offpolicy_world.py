"""A small market whose effects are known: decided about by the decision core, logged as the store would.

Each day a customer may be asked about, for one slot or several. A contact lifts the chance of a purchase within the
next day by an effect that depends on the action and on the customer's one trait, less what recent contacts have worn
off. So the true value of any policy is known where the log stood, and by playing it.
"""

from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
import orjson
import pyarrow as pa

from features import catalogue as catalogues
from features import clock, decision_log
from features.clock import DAY, HOUR
from features.decision_log import DECISIONS
from features.history import History, conform
from features.interactions import INSTANT
from features.workspace import Workspace
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Request, Scores
from serving.decisions.policy import Actions, ContactPolicy, Playbook

START = clock.parse_instant("2026-03-02T12:00:00Z")
BASE, WORN = 0.1, 0.02
SETTINGS = "channels: [email, mobile_app, store]\npropensity: {horizon_days: 1}\n"
ACTIONS = """
actions:
  - {name: letter, issue: sales, group: news, value: 10, channels: {email: {cost: 0.1}}}
  - {name: coupon, issue: sales, group: coupons, value: 10, channels: {email: {cost: 0.3}, mobile_app: {cost: 0.2}}}
  - {name: tip, issue: sales, group: news, value: 6, channels: {mobile_app: {}}, applicable: "features.tenure > 1.0"}
"""
POLICY = """
unknown_zone: company
caps:
  - {scope: channel, name: email, max: 4, window: 7d}
  - {scope: total, max: 5, window: 7d}
consent: {unknown: granted}
holdout: {share: 0.05}
withholding: {share: 0.05}
exploration: {epsilon: 0.4}
harm: {contact: 0.01, rising: 0.2}
increment: {default: 1.0}
"""
LIFT = {"letter": (0.08, 0.0), "coupon": (0.15, 0.12), "tip": (0.05, -0.10)}


def playbook(actions=ACTIONS, policy=POLICY):
    import yaml

    return Playbook(Actions(**yaml.safe_load(actions)), ContactPolicy(**yaml.safe_load(policy)))


def lift(action, trait, standing):
    level, slope = LIFT[action]
    return level + slope * trait - WORN * standing


def chance_of(actions, trait, standing):
    """Of a purchase within the next day."""
    return float(np.clip(BASE + sum(lift(action, trait, standing) for action in actions), 0.0, 1.0))


@dataclass
class Log:
    """What history would hold, and beside it what only the world knows: of each decision the reward to be expected as
    played and under another playbook, `truth`, and `asked`: the decision as made, and what asks any playbook for it
    again with a number that draws."""

    decisions: list = field(default_factory=list)
    contacts: list = field(default_factory=list)
    purchases: list = field(default_factory=list)
    truth: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    days: int = 0
    expected: float = 0.0

    @property
    def rate(self):
        """Purchases to be expected per customer-day."""
        return self.expected / self.days

    def into(self, workspace: Workspace):
        history = History(workspace)
        rows = [
            decision_log.row(document) | {"document": orjson.dumps(document).decode()} for document in self.decisions
        ]
        history.append_log("decisions", pa.Table.from_pylist(rows, DECISIONS))
        if self.contacts:
            history.append_log("contacts", pa.Table.from_pylist(self.contacts))
        people, at = zip(*self.purchases, strict=True)
        history.append(
            conform(
                pa.table(
                    {
                        "interaction_id": [f"p{n}" for n in range(len(people))],
                        "customer_id": list(people),
                        "occurred_at": pa.array(at, pa.int64()).cast(INSTANT),
                        "channel": ["store"] * len(people),
                        "type": ["purchase"] * len(people),
                        "value": [10.0] * len(people),
                    }
                )
            ),
            "the world",
        )


def open_workspace(folder):
    folder.mkdir(parents=True)
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "actions.yaml").write_text(ACTIONS)
    (folder / "contact_policy.yaml").write_text(POLICY)
    return Workspace.open(folder)


def play(book, customers=150, days=20, seed=0, other=None, asked=0.8, named=catalogues.DEFAULT, slots=1):
    """A log of `book`; under `other`, where that log stood, what would have been."""
    random = np.random.default_rng(seed)
    log, width = Log(days=customers * days), len(named.names)
    place = named.names.index("tenure_days") if "tenure_days" in named.names else 0
    for number in range(customers):
        trait, tenure = random.normal(), random.uniform(0, 3)
        features = [None] * width
        features[place], features[(place + 1) % width] = tenure, trait
        standing = []
        for day in range(days):
            now = START + day * DAY + int(random.integers(0, HOUR))
            chosen, recent = (), 0
            if random.random() < asked:
                name = f"C{number}"
                customer = Customer(name, contacts=tuple(standing))
                request = Request(name, f"d-{number}-{day}", limit=slots)
                scores = Scores(
                    features={"tenure": tenure},
                    propensity=lambda some, trait=trait: [float(np.clip(0.1 + lift(c.action.name, trait, 0), 0, 1))
                                                          for c in some],
                    logged={"features": features, "catalogue_version": named.version, "models": {}},
                )  # fmt: skip
                again = partial(decided, request, customer, scores, now)
                found = again(book, random.random())
                log.asked.append((found, again))
                recent = sum(each.state == "sent" and now - each.touched_at < 7 * DAY for each in standing)
                log.decisions.append(orjson.loads(found.to_bytes()))
                if other is not None:
                    log.truth.append([worth(cache(partial(again, each)), trait, recent) for each in (book, other)])
                chosen = [slot.chosen.action.name for slot in found.slots if slot.chosen is not None]
                for contact in found.contacts:
                    ghost = contact.state == "ghost"
                    standing.append(contact if ghost else contact._replace(state="sent", touched_at=now, closed_at=now))
                    log.contacts += rows(contact, ghost, now)
            chance = chance_of(chosen, trait, recent)
            log.expected += chance
            if random.random() < chance:
                log.purchases.append((f"C{number}", now + 1 + int(random.integers(0, 22 * HOUR))))
    return log


def decided(request, customer, scores, now, book, number):
    return decide(request, customer, scores, book, now, number)


def within(distribution):
    """Each cell that has a probability, with a number that draws it."""
    ends = np.cumsum([cell.probability for cell in distribution])
    return [
        (cell, end - cell.probability / 2) for cell, end in zip(distribution, ends, strict=True) if cell.probability
    ]


def given(found, asked):
    """Of one slot or two, as cells: those of the second given that the first drew what it drew in `found`, None where
    it could not have drawn that."""
    first = asked(0.5).slots[0].distribution
    told = [first]
    if len(found.slots) > 1:
        drawn = drawn_of(found.slots[0])
        at = next((number for cell, number in within(first) if (cell.action, cell.channel, cell.ghost) == drawn), None)
        told.append(None if at is None else asked(at).slots[1].distribution)
    return [None if each is None else [cell.as_dict() for cell in each] for each in told]


def drawn_of(slot):
    picked = slot.chosen or slot.ghost
    return (None, None, False) if picked is None else (*picked.key, slot.ghost is not None)


def worth(asked, trait, standing):
    """The chance of a purchase to be expected, over what one slot or two may draw."""
    total, single = 0.0, asked(0.5).slots
    for cell, number in within(single[0].distribution):
        slots = single if len(single) == 1 else asked(number).slots
        made = [] if cell.ghost or cell.action is None else [cell.action]
        for second in slots[1].distribution if len(slots) > 1 else [None]:
            more = [] if second is None or second.ghost or second.action is None else [second.action]
            chance = 1.0 if second is None else second.probability
            total += cell.probability * chance * chance_of(made + more, trait, standing)
    return total


def rows(contact, ghost, now):
    """As `tactful sync` writes each change of a contact's state."""
    names = ("contact_id", "decision_id", "customer_id", "action", "issue", "group", "channel", "counts", "reserved_at",
             "expires_at")  # fmt: skip
    told = {name: getattr(contact, name) for name in names} | {"breach": False}
    for name in ("reserved_at", "expires_at"):
        told[name] = clock.instant(told[name])
    states = ("ghost",) if ghost else ("reserved", "claimed", "sent")
    return [told | {"status": state, "changed_at": clock.instant(now)} for state in states]
