"""Whom a model is looked at on: the customers as of a cutoff, or the offers of the weeks before it, with their inputs.

Rows are sampled (the same ones for the same log), features come from the kernel that training uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from features import batch
from features import catalogue as catalogues
from features.catalogue import Catalogue
from features.clock import DAY
from features.past import Past
from features.workspace import Settings, Workspace, WorkspaceError
from serving.decisions.policy import Action
from training.dataset import Pairs, plain, read
from training.labels import Life, micros
from training.monitor.reference import WEEK
from training.propensity import Offers, attributes, find, listed
from training.windows import latest

#: Rows of one cutoff that are looked at.
ROWS = 20_000
#: The offers that are looked at are those of so long before a cutoff (microseconds).
OFFERED = 28 * DAY


@dataclass(frozen=True)
class Rows:
    """Row i is customer[i]; `label` is 0 or 1, and means something only where `matured`."""

    customer: np.ndarray
    label: np.ndarray
    frame: pd.DataFrame


@dataclass(frozen=True)
class Source:
    """History as one kind of model sees it. `past` ends where one looks from."""

    kind: str
    past: Past
    settings: Settings
    catalogue: Catalogue
    actions: Mapping[str, Action] = field(default_factory=dict)

    @classmethod
    def of(
        cls, workspace: Workspace, kind: str, past: Past | None = None, catalogue: Catalogue | None = None
    ) -> "Source":
        """Raises WorkspaceError where there is no history."""
        actions = listed(workspace) if kind == "propensity" else {}
        own = catalogues.of(workspace) if catalogue is None else catalogue
        return cls(kind, read(workspace) if past is None else past, workspace.settings, own, actions)

    @property
    def horizon(self) -> int:
        """Microseconds until a label is known."""
        days = self.settings.churn.horizon_days if self.kind == "churn" else self.settings.propensity.horizon_days
        return days * DAY

    @cached_property
    def life(self) -> Life:
        return Life.of(self.past, self.settings)

    @cached_property
    def offers(self) -> Offers:
        return find(self.past, self.settings)

    @cached_property
    def last(self) -> int:
        """The newest instant of the log (churn: of a sign of life, for a log of nothing else tells nothing of it)."""
        if self.kind == "churn":
            signs = self.life.signs.at
            if not len(signs):
                raise WorkspaceError("history holds no interaction of the types that show life (`churn.qualifying`)")
            return int(signs[-1])
        return int(micros(self.past.interactions["occurred_at"]).max())

    @property
    def newest(self) -> int:
        """The latest midnight up to which the log tells what customers are like."""
        return latest(self.last, 0)

    @property
    def matured(self) -> int:
        """The latest midnight whose labels are known."""
        return latest(self.last, self.horizon)

    def pairs(self, cutoff: int, after: int = 0) -> "Chosen":
        """Customers alive at a cutoff, or the offers of OFFERED before it, of those made `after` an instant."""
        if self.kind == "churn":
            who = self.life.population(cutoff)
            label = self.life.churned(cutoff)[who] if cutoff <= self.matured else np.zeros(len(who))
            return Chosen(Pairs(self.life.customers[who], np.full(len(who), cutoff, np.int64), label))
        rows = np.flatnonzero((self.offers.at >= max(cutoff - OFFERED, after + 1)) & (self.offers.at < cutoff))
        return Chosen(self.offers.rows(rows).pairs, rows)

    def rows(self, chosen: "Chosen", seed: int = 0) -> Rows:
        """A sample of them with the model's inputs."""
        chosen = chosen.at_most(ROWS, seed)
        pairs = chosen.pairs
        if not len(pairs.label):
            return Rows(pairs.customer, pairs.label, pd.DataFrame(columns=list(self.catalogue.names)))
        matrix = batch.compute_at(self.past, pairs.customer.tolist(), pairs.as_of, self.catalogue, self.settings)
        frame = plain(matrix.to_pandas())
        if chosen.offers is not None:
            extra = plain(attributes(self.offers.rows(chosen.offers), self.actions)).reset_index(drop=True)
            frame = pd.concat([frame, extra], axis=1)
        return Rows(pairs.customer, np.asarray(pairs.label, float), frame)


@dataclass(frozen=True)
class Chosen:
    """Pairs, and which offers they are, where they are offers."""

    pairs: Pairs
    offers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pairs.label)

    def at_most(self, rows: int, seed: int) -> "Chosen":
        """A random sample where there are more, in the old order."""
        if len(self) <= rows:
            return self
        keep = np.sort(np.random.default_rng(seed).choice(len(self), rows, replace=False))
        pairs = Pairs(*(column[keep] for column in (self.pairs.customer, self.pairs.as_of, self.pairs.label)))
        return replace(self, pairs=pairs, offers=None if self.offers is None else self.offers[keep])


def weeks_back(newest: int, since: int, most: int) -> list[int]:
    """Cutoffs after `since`, a week apart, the newest ones, ascending."""
    return [cutoff for cutoff in (newest - WEEK * k for k in reversed(range(most))) if cutoff > since]
