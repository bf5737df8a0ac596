"""Given that an action was offered at t, does the customer respond within the horizon? One model pooled over actions.

What it knows of an action are its attributes (`serving/decisions/attributes.py`), so that a new one is no cold start.
Offers were targeted, not drawn by lot: this ranks who responds, and says nothing of what an offer causes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from features import batch
from features.catalogue import DEFAULT, Catalogue
from features.clock import DAY, isoformat
from features.past import Past
from features.workspace import Settings, Workspace, WorkspaceError, read_yaml
from serving.decisions.attributes import Inputs, action_inputs
from serving.decisions.policy import Action, Actions
from training.dataset import Compute, Dataset, Pairs, assemble
from training.labels import micros
from training.persons import Persons, among, customers, known
from training.windows import Windows

#: Shares of the offers that calibration and test ask for, and the least of each outcome that either needs.
LATER = 0.2
LEAST = 20


@dataclass(frozen=True)
class Offers:
    """Offers in time order, [n] each: whom, when (microseconds), what, and whether a response followed."""

    customer: np.ndarray
    at: np.ndarray
    action: np.ndarray
    channel: np.ndarray
    responded: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Offers":
        return Offers(*(column[chosen] for column in vars(self).values()))

    @property
    def pairs(self) -> Pairs:
        return Pairs(self.customer, self.at, self.responded)


def listed(workspace: Workspace) -> dict[str, Action]:
    """actions.yaml by name; empty where there is no such file."""
    if not workspace.actions_file.is_file():
        return {}
    return read_yaml(workspace.actions_file, Actions).by_name


def propensity(
    past: Past | pa.Table,
    settings: Settings,
    actions: Mapping[str, Action],
    test: int | None = None,
    catalogue: Catalogue = DEFAULT,
    compute: Compute = batch.compute_at,
) -> Dataset:
    """Offers as rows, in three windows of time. `test` is the first instant of the test window.

    Raises WorkspaceError where there are too few offers or responses.
    """
    horizon = settings.propensity.horizon_days * DAY
    past = Past.of(past)
    offers = find(past, settings)
    last = int(micros(past.interactions["occurred_at"]).max())
    windows, chosen = split(offers, horizon, last, test)
    extra = {name: attributes(part, actions) for name, part in chosen.items()}
    columns = list(dict.fromkeys(column for frame in extra.values() for column in frame.columns))
    extra = {name: frame.reindex(columns=columns) for name, frame in extra.items()}
    pairs = {name: part.pairs for name, part in chosen.items()}
    return assemble("propensity", past, settings, pairs, windows, catalogue, compute, extra)


def find(past: Past | pa.Table, settings: Settings) -> Offers:
    """Offers of history and their responses: the same decision_id, or the same action where one of them has none.

    A response counts from whichever id is the same customer's as far as is known by the end of the log.
    """
    past = known(Past.of(past))
    rule = settings.propensity
    interactions = _persons(past, settings)
    offered = _of(interactions, rule.offers, "outbound")
    if len(offered) == 0:
        raise WorkspaceError(
            f"history holds no offers: outbound interactions of type {', '.join(rule.offers)} with an `action`;"
            " ingest contacts too, or correct `propensity.offers` in tactful.yaml"
        )
    answers = _of(interactions, rule.responses, None).rename(columns={"at": "answered", "decision_id": "decided"})
    offered["row"] = np.arange(len(offered))
    both = offered.merge(answers[["person", "action", "answered", "decided"]], on=["person", "action"])
    told = both["decision_id"].notna() & both["decided"].notna()
    meant = ~told | (both["decision_id"] == both["decided"])
    soon = (both["answered"] >= both["at"]) & (both["answered"] < both["at"] + rule.horizon_days * DAY)
    responded = np.zeros(len(offered))
    responded[both.loc[meant & soon, "row"].to_numpy()] = 1
    return Offers(
        offered["customer_id"].to_numpy(object),
        offered["at"].to_numpy(np.int64),
        offered["action"].to_numpy(object),
        offered["channel"].to_numpy(object),
        responded,
    )


def split(offers: Offers, horizon: int, last: int, test: int | None = None) -> tuple[Windows, dict[str, Offers]]:
    """Training, calibration and test by time, each ending a horizon before the next begins.

    Test and calibration begin as late as they can while holding their share of the offers and enough of each outcome.
    """
    known = offers.rows(offers.at + horizon <= last)
    begins = _begin(known, test, "test")
    earlier = known.rows(known.at + horizon <= begins)
    calibration = _begin(earlier, None, "calibration")
    training = earlier.rows(earlier.at + horizon <= calibration)
    if not LEAST <= training.responded.sum() <= len(training.at) - LEAST:
        raise WorkspaceError(_too_few("training", training))
    parts = {
        "training": training,
        "embargo": earlier.rows((earlier.at + horizon > calibration) & (earlier.at < calibration)),
        "calibration": earlier.rows(earlier.at >= calibration),
        "test": known.rows(known.at >= begins),
    }
    cutoffs = {name: tuple(np.unique(part.at).tolist()) for name, part in parts.items()}
    return Windows(cutoffs["training"], cutoffs["embargo"], cutoffs["calibration"], begins, horizon), parts


def attributes(offers: Offers, actions: Mapping[str, Action]) -> pd.DataFrame:
    """One row an offer: the model inputs of its action on its channel."""
    kinds: dict[tuple[str, str], Inputs] = {}
    rows = []
    for name, channel in zip(offers.action, offers.channel, strict=True):
        if (name, channel) not in kinds:
            kinds[name, channel] = action_inputs(name, channel, actions.get(name))
        rows.append(kinds[name, channel])
    frame = pd.DataFrame(rows, columns=None if rows else list(action_inputs("", "", None)))
    numbers = [name for name in frame.columns if not frame[name].map(lambda value: isinstance(value, str)).any()]
    return frame.astype(dict.fromkeys(numbers, np.float64))


def _begin(offers: Offers, asked: int | None, name: str) -> int:
    """The latest start of a window that holds a share of the offers and enough of both outcomes."""
    if asked is not None:
        return asked
    starts = np.unique(offers.at)[::-1]
    place = np.searchsorted(offers.at, starts)
    total, positive = len(offers.at), offers.responded.sum()
    responses = positive - np.concatenate([[0.0], np.cumsum(offers.responded)])[place]
    count = total - place
    enough = (count >= LATER * total) & (responses >= LEAST) & (count - responses >= LEAST)
    if not enough.any():
        raise WorkspaceError(_too_few(name, offers))
    return int(starts[np.argmax(enough)])


def _too_few(name: str, offers: Offers) -> str:
    span = f" from {isoformat(offers.at[0])[:10]} to {isoformat(offers.at[-1])[:10]}" if len(offers.at) else ""
    return (
        f"the propensity model needs at least {LEAST} responses and {LEAST} silences in its {name} window; of"
        f" {len(offers.at):,} offers{span} that are old enough, {int(offers.responded.sum()):,} were responded to;"
        " ingest more offers and outcomes, or shorten `propensity.horizon_days` in tactful.yaml"
    )


def _persons(past: Past, settings: Settings) -> pa.Table:
    """Interactions with the number of the `person` behind each, as known by the end of the log."""
    interactions = past.interactions
    place, ids = customers(interactions)
    persons = Persons.of(ids, past.links, settings)
    last = int(micros(interactions["received_at"]).max()) if interactions.num_rows else 0
    return interactions.append_column("person", pa.array(persons.at(last)[place]))


def _of(interactions: pa.Table, types: list[str], direction: str | None) -> pd.DataFrame:
    """Interactions of these types that carry an action, in time order."""
    wanted = among(interactions["type"], types) & interactions["action"].is_valid().to_numpy()
    if direction is not None:
        wanted &= among(interactions["direction"], [direction])
    rows = interactions.filter(pa.array(wanted))
    frame = rows.select(["customer_id", "action", "channel", "decision_id"]).to_pandas().astype(object)
    frame["person"] = rows["person"].to_numpy()
    return frame.assign(at=micros(rows["occurred_at"])).sort_values("at", kind="stable", ignore_index=True)
