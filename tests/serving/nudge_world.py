"""A small workspace with triggers, without models, on a clock that the test sets."""

import asyncio

import market

from features import clock
from features.workspace import Workspace
from serving.engine import Engine

START = market.START
CATALOGUE = """
from features.definitions import ANY
from features.kinds import Count
CATALOGUE = [Count(ANY, 30)]
"""
ACTIONS = """
actions:
  - name: basket
    title: Your basket is waiting
    issue: sales
    group: baskets
    channels: [email]
    value: 40
    trigger: {abandoned: {type: add_to_cart, without: [purchase], after: 4h}, again: 30d}
  - name: welcome
    issue: sales
    group: welcome
    channels: [mail]
    value: 10
    trigger: {stage: buying}
  - {name: voucher, issue: sales, group: coupons, channels: [email], value: 5}
"""
POLICY = """
zone: UTC
unknown_zone: company
caps:
  - {scope: channel, name: email, max: 1, window: 2d}
consent: {unknown: granted}
holdout: {share: 0.0}
withholding: {share: 0.0}
exploration: {epsilon: 0.0}
harm: {contact: 0.001, rising: 0.0}
fallback: {propensity: 0.5}
"""


class Now:
    """A clock that stands still until it is set."""

    def __init__(self, at: int = START) -> None:
        self.at = at

    def now(self) -> int:
        return self.at


def workspace(folder, policy=POLICY, settings="") -> Workspace:
    found = market.found(folder)
    (folder / "catalogue.py").write_text(CATALOGUE)
    (folder / "actions.yaml").write_text(ACTIONS)
    (folder / "contact_policy.yaml").write_text(policy)
    if settings:
        (folder / "tactful.yaml").write_text(market.SETTINGS + settings)
        found = Workspace.open(folder)
    return found


def engine(found: Workspace) -> Engine:
    """Open, and ready without any model: the policy's fallback stands in."""
    opened = Engine.open(found)
    opened.clock = Now()
    opened.check_ready = lambda: None
    return opened


def row(number, type_, hours=0.0, customer="C1", **more):
    """An interaction `hours` before START."""
    at = clock.isoformat(START - int(hours * clock.HOUR))
    return market.interaction(number, customer, type=type_, occurred_at=at, value=None, **more)


def told(engine, *rows):
    """Records rows and waits until what they set off is done."""

    async def work():
        answer = await engine.record(list(rows))
        await engine.nudger.settled()
        return answer

    return asyncio.run(work())
