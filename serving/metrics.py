"""What the service counts, for Prometheus. Every label is bounded: by our addresses, the policy files or the settings.

Each worker counts in a file of its own below $PROMETHEUS_MULTIPROC_DIR, which must be set before this is imported
(BentoML sets it in the workers that it starts), and whichever worker is asked adds all of them up. What is true of a
moment (ready, the policy's version) the asked worker says of itself, and no stale label is left behind.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from serving.decisions.decision import Decision
    from serving.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds: a decision takes one or two thousandths, a batch of interactions some tens, and 10 is the deadline.
BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.5, 10.0)
#: The first word of a guard's rule; what follows names a cap, a type or a channel, and may be many.
RULES = frozenset(
    {
        "action",
        "cap",
        "consent",
        "cool-down",
        "open",
        "opt-out",
        "paused",
        "pressure",
        "quiet",
        "restricted",
        "sensitive",
        "signal",
        "volume",
        "withheld",
        "zone",
    }
)

#: In the workspace's folder `state`, replaced as a whole (training/monitor/kept.py).
MONITOR = "monitor.prom"

_registry = CollectorRegistry()
REQUESTS = Counter("tactful_requests", "answered requests", ["method", "route", "status"], registry=_registry)
SECONDS = Histogram("tactful_request_seconds", "time to answer", ["route"], buckets=BUCKETS, registry=_registry)
DECISIONS = Counter(
    "tactful_decisions", "decisions made, silence included", ["direction", "action", "arm"], registry=_registry
)
REFUSALS = Counter(
    "tactful_candidates_refused", "candidates refused, by stage and kind of rule", ["stage", "rule"], registry=_registry
)
CONTACTS = Counter("tactful_contacts", "contacts claimed, sent or failed", ["channel", "state"], registry=_registry)
BREACHES = Counter("tactful_breaches", "contacts sent without a claim", ["channel"], registry=_registry)
ROWS = Counter("tactful_rows", "rows received", ["kind", "result"], registry=_registry)
OUTCOMES = Counter("tactful_outcomes", "outcomes told, known ones left out", ["outcome"], registry=_registry)


#: Finding a counter by its labels costs more than counting; labels are few.
_requests = cache(REQUESTS.labels)
_seconds = cache(SECONDS.labels)
_decisions = cache(DECISIONS.labels)
_refusals = cache(REFUSALS.labels)
#: What one decision adds to which counter.
Counted = list[tuple[Counter, int]]


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """A request to one of our addresses was answered."""
    _requests(method, route, str(status)).inc()
    _seconds(route).observe(seconds)


def of(decision: "Decision") -> Counted:
    """What is to be counted once the decision is on disk."""
    found, refused = Counted(), dict[tuple[str, str], int]()
    for slot in decision.slots:
        action = slot.chosen.action.name if slot.chosen is not None else "(silence)"
        found.append((_decisions(decision.request.direction, action, decision.arm), 1))
        for fate in slot.fates:
            if fate.stage == "guard":
                for kind in {_kind(trip.rule) for trip in fate.trips}:
                    refused["guard", kind] = refused.get(("guard", kind), 0) + 1
            elif fate.stage != "chosen":
                refused[fate.stage, ""] = refused.get((fate.stage, ""), 0) + 1
    found.extend((_refusals(stage, kind), times) for (stage, kind), times in refused.items())
    return found


def decided(counted: Counted) -> None:
    """A decision was made and is on disk."""
    for counter, times in counted:
        counter.inc(times)


def _kind(rule: str) -> str:
    kind = rule.partition(" ")[0]
    return kind if kind in RULES else "other"


def recorded(kind: str, receipt: Mapping[str, Any]) -> None:
    """A batch of rows was taken in; `receipt` as it is answered."""
    for result in ("accepted", "duplicates", "quarantined"):
        if receipt[result]:
            ROWS.labels(kind, result).inc(receipt[result])


def told(outcome: Mapping[str, Any]) -> None:
    """An outcome was told; as it is answered."""
    if outcome["accepted"]:
        OUTCOMES.labels(outcome["outcome"]).inc()


def moved(contact: Mapping[str, Any]) -> None:
    """A contact was claimed, sent or failed; as it is answered."""
    CONTACTS.labels(contact["channel"], contact["state"]).inc()
    if contact["breach"]:
        BREACHES.labels(contact["channel"]).inc()


class _Now:
    """What is true of this worker at this moment."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine

    def collect(self) -> Iterable[Metric]:
        report = self.engine.readiness()
        yield _one("tactful_ready", "1 where a decision would be answered", bool(report["ready"]))
        broken = self.engine.policy_problem is not None
        yield _one("tactful_policy_broken", "1 where the files are broken and the old policy stays in use", broken)
        policy = GaugeMetricFamily("tactful_policy_info", "the policy in use", labels=["version"])
        policy.add_metric([report["versions"]["policy"]], 1.0)
        yield policy
        models = GaugeMetricFamily("tactful_model_info", "the champions in use", labels=["model", "version"])
        for kind, champion in report["versions"]["models"].items():
            models.add_metric([kind, str(champion["version"])], 1.0)
        yield models


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def exposition(engine: "Engine") -> bytes:
    """The text that Prometheus reads: the sum over all workers, and this worker's moment."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)
        counted = generate_latest(registry)
    else:
        counted = generate_latest(_registry)
    now = CollectorRegistry()
    now.register(_Now(engine))
    return counted + generate_latest(now) + _looked(engine.workspace.folder / "state" / MONITOR)


def _looked(path: Path) -> bytes:
    """What the last `tactful monitor` found, as it wrote it; nothing where nobody looked yet."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
