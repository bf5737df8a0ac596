"""A workspace's history as what fatigue is learned from: outbound decisions, contacts, and what customers then did.

Of a decision that filled several slots the last one is learned from, with its chances given what those before it had
drawn: where one of them had made a contact, that one was certain, whatever the last slot drew, and it tells nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import batch, decision_log
from features.batch import FeatureMatrix
from features.catalogue import Catalogue
from features.clock import DAY
from features.decision_log import NoDecisions
from features.history import History
from features.interactions import OPTED_OUT, PRESSURE
from features.sensitive import on_sensitive, sensitive_topics
from features.workspace import Settings, Workspace, read_yaml
from serving.decisions.policy.contact_policy import ContactPolicy
from training import contacted
from training.dataset import read as read_past
from training.fatigue.harm import Pressure
from training.fatigue.trials import SILENCE, Clock, Decided, Events, Happened
from training.labels import micros
from training.persons import Numbered, among
from training.propensity import listed

#: Decisions are read so many days at a time: their distributions are large.
PIECE = 7 * DAY
_COLUMNS = ["decision_id", "decided_at", "customer_id", "direction", "action", "treatment_channel", "arm", "experiment",
            "cap_level", "slots", "distribution"]  # fmt: skip
COMPLAINED = "complained"
NO_CONTACT = "that made what the policy does not count as a contact"
AFTER = "whose last slot came after one that had made a contact"
#: Why a decision is left out, and what the others are.
_RULES: Mapping[str, Callable[[pa.Table], pa.ChunkedArray]] = {
    "inbound": lambda table: pc.equal(table["direction"], "outbound"),
    "with several slots, which history has no document of": lambda table: table["last"],
    "without a distribution": lambda table: pc.greater(pc.list_value_length(table["distribution"]), 0),
}


@dataclass(frozen=True)
class Log:
    """Decisions and what happened, with `ids` (object) of the customers by number, and why decisions were left out."""

    decided: Decided
    happened: Happened
    pressure: Pressure
    ids: np.ndarray
    left_out: Mapping[str, int]

    def clock(self, soon: float, sale: float, lasts: float) -> Clock:
        """Days, and the half-life of pressure."""
        return Clock(round(soon * DAY), round(sale * DAY), round(lasts * DAY), self.pressure.half_life)


def read(workspace: Workspace, since: int | None = None, until: int | None = None) -> Log:
    """Everything that history knows. Raises NoDecisions where it holds no outbound ones."""
    history = History(workspace)
    interactions = history.interactions(["customer_id", "occurred_at", "received_at", "channel", "direction", "type",
                                         "value", "topic", "decision_id", "action"])  # fmt: skip
    contacts = history.contacts()
    tables = [interactions, decision_log.read(history, ["customer_id"]), *([contacts] if contacts.num_rows else [])]
    people = Numbered.of([table["customer_id"] for table in tables], history.links(), workspace.settings)
    channels = tuple(dict.fromkeys([*workspace.settings.channels, *_words(interactions["channel"])]))
    stated, actions = policy_of(workspace), listed(workspace)
    classes = [name for name, each in stated.exempt.items() if not each.counts]
    harmless = [name for name, action in actions.items() if action.exempt in classes]
    decided, left_out = _decided(history, people, channels, harmless, since, until)
    happened = _happened(interactions, contacts, people, channels, workspace.settings, stated.not_contacts, harmless)
    return Log(decided, happened, pressure_of(workspace, channels), people.ids, left_out)


def policy_of(workspace: Workspace) -> ContactPolicy:
    """contact_policy.yaml, its defaults where there is none."""
    return read_yaml(workspace.policy_file, ContactPolicy) if workspace.policy_file.is_file() else ContactPolicy()


def pressure_of(workspace: Workspace, channels: Sequence[str]) -> Pressure:
    """As the contact policy weighs contacts, else as Godfrey, Seiders and Voss found (features/interactions.py)."""
    stated = policy_of(workspace).pressure
    if stated is None:
        weights = np.array([PRESSURE.get(name, PRESSURE["email"]) for name in channels])
        return Pressure(tuple(channels), weights, PRESSURE["email"], 54 * DAY)
    weights = np.array([stated.weight(name) for name in channels]) / stated.limit
    return Pressure(tuple(channels), weights, stated.other / stated.limit, stated.half)


def features_of(workspace: Workspace, log: Log, rows: np.ndarray, catalogue: Catalogue) -> FeatureMatrix:
    """Of some decisions, as of when they were made."""
    asked = log.ids[log.decided.who[rows]]
    return batch.compute_at(read_past(workspace), asked, log.decided.at[rows], catalogue, workspace.settings)


def _decided(
    history: History,
    people: Numbered,
    channels: tuple[str, ...],
    harmless: list[str],
    since: int | None,
    until: int | None,
) -> tuple[Decided, dict[str, int]]:
    instants = micros(decision_log.read(history, ["decided_at"], since, until)["decided_at"])
    if not len(instants):
        raise NoDecisions(
            f"{history.folder}: holds no decisions; run `tactful sync` to bring those of the live store there, or"
            " `tactful ingest --decisions FILE`"
        )
    left_out = dict.fromkeys(_RULES, 0)
    parts, after = [], 0
    for begin in range(int(instants.min()), int(instants.max()) + 1, PIECE):
        end = min(begin + PIECE, int(instants.max()) + 1)
        table = _last_slots(decision_log.read_slots(history, _COLUMNS, begin, end), harmless)
        for why, rule in _RULES.items():
            kept = table.filter(pc.fill_null(rule(table), False))
            left_out[why] += table.num_rows - kept.num_rows
            table = kept
        if harmless:
            kept = table.filter(pa.array(~among(table["action"], harmless)))
            left_out[NO_CONTACT] = left_out.get(NO_CONTACT, 0) + table.num_rows - kept.num_rows
            table = kept
        after += len(table) - table["before"].null_count
        if table.num_rows:
            parts.append(_arrays(table, people, channels, harmless))
    if not parts:
        raise NoDecisions(
            f"{history.folder}: of {len(instants):,} decisions none was outbound with its distribution: contacts that"
            " nobody could have been spared say nothing of what one more costs"
        )
    left_out[AFTER] = after
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Decided.of(channels, *columns), {why: count for why, count in left_out.items() if count}


def _last_slots(table: pa.Table, harmless: list[str]) -> pa.Table:
    """Of rows by slot one for each decision: the last slot, with the channel on which one `before` it made a contact.
    Of a decision whose later slots history does not tell of, the first, which is not `last`."""
    slots = pc.fill_null(table["slots"], 1).to_numpy()
    last = table["slot"].to_numpy() + 1 == slots
    made = table.filter(pa.array(~last & table["action"].is_valid().to_numpy() & ~among(table["action"], harmless)))
    contact = dict(zip(made["decision_id"].to_pylist(), made["treatment_channel"].to_pylist(), strict=True))
    ended = pc.is_in(table["decision_id"], table["decision_id"].filter(pa.array(last & (slots > 1))).combine_chunks())
    before = [contact.get(one) for one in table["decision_id"].to_pylist()] if contact else pa.nulls(len(table))
    table = table.append_column("last", pa.array(last)).append_column("before", pa.array(before, pa.string()))
    return table.filter(pc.or_(table["last"], pc.invert(ended)))


def _arrays(
    table: pa.Table, people: Numbered, channels: tuple[str, ...], harmless: list[str]
) -> tuple[np.ndarray, ...]:
    """who, at, made, chance, silent, level of decisions that drew none of `harmless`: chances are those given that."""
    lists = table["distribution"].combine_chunks()
    cells = lists.flatten()
    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    chance = cells.field("probability").to_numpy(zero_copy_only=False)
    if harmless:
        chance = np.where(among(pa.chunked_array([cells.field("action")]), harmless), 0.0, chance)
        chance = chance / np.bincount(row, chance, minlength=len(table))[row]
    ghost = pc.fill_null(cells.field("ghost"), False).to_numpy(zero_copy_only=False)
    quiet = ghost | cells.field("action").is_null().to_numpy(zero_copy_only=False)
    channel = _positions(cells.field("channel"), channels)
    n, c = len(table), len(channels)
    made = ~quiet & (channel >= 0)
    by_channel = np.bincount(row[made] * c + channel[made], chance[made], minlength=n * c).reshape(n, c)
    drawn = _positions(table["treatment_channel"].combine_chunks(), channels)
    silent = np.bincount(row[quiet], chance[quiet], minlength=n)
    earlier = _positions(table["before"].combine_chunks(), channels)
    sure = np.flatnonzero(earlier != SILENCE)
    drawn[sure], silent[sure], by_channel[sure] = earlier[sure], 0.0, 0.0
    by_channel[sure, earlier[sure]] = 1.0
    level = pc.fill_null(table["cap_level"], 1.0).to_numpy().astype(np.float32)
    # held out, or in an experiment: other caps were not what chance gave them
    apart = (
        ~pc.fill_null(pc.equal(table["arm"], "treated"), True).to_numpy() | table["experiment"].is_valid().to_numpy()
    )
    return (
        people.number(table["customer_id"]),
        micros(table["decided_at"]),
        drawn.astype(np.int16),
        by_channel.astype(np.float32),
        silent,
        np.where(apart, np.float32(np.nan), level),
    )


def _happened(
    interactions: pa.Table,
    contacts: pa.Table,
    people: Numbered,
    channels: tuple[str, ...],
    settings: Settings,
    not_contacts: Sequence[str],
    harmless: list[str],
) -> Happened:
    who, at = people.number(interactions["customer_id"]), micros(interactions["occurred_at"])
    channel = _positions(interactions["channel"].combine_chunks(), channels)
    value = np.nan_to_num(interactions["value"].to_numpy())
    sensitive = on_sensitive(interactions["topic"], sensitive_topics(settings))

    def of(rows: np.ndarray) -> Events:
        return Events.of(who[rows], at[rows], channel[rows], value[rows])

    # as the guard counts what other tools report (serving/decisions/guard/standing.py)
    outbound = among(interactions["direction"], ["outbound"]) & ~among(interactions["type"], list(not_contacts))
    outbound &= ~among(interactions["action"], harmless)
    touches = of(_once(interactions, outbound & ~_logged(interactions, contacts)))
    ours = _contacts(contacts, people, channels)
    both = Events.of(*(np.concatenate([getattr(touches, name), getattr(ours, name)])
                       for name in ("who", "at", "channel", "amount")))  # fmt: skip
    until = int(micros(interactions["received_at"]).max()) + 1 if interactions.num_rows else 0
    return Happened(
        both,
        of(among(interactions["type"], [OPTED_OUT])),
        of(among(interactions["type"], [COMPLAINED])),
        of(among(interactions["type"], list(settings.goal)) & ~sensitive),
        until,
    )


def _contacts(contacts: pa.Table, people: Numbered, channels: tuple[str, ...]) -> Events:
    """Those that were made, once each, and count."""
    if not contacts.num_rows:
        nobody = np.zeros(0, np.int64)
        return Events.of(nobody, nobody, nobody, np.zeros(0))
    counts = contacts["counts"] if "counts" in contacts.column_names else pa.scalar(True)
    own = contacts.filter(pc.and_(pa.array(contacted.made(contacts)), pc.fill_null(counts, True)))
    return Events.of(
        people.number(own["customer_id"]),
        micros(own["changed_at"]),
        _positions(own["channel"].combine_chunks(), channels),
        np.ones(len(own)),
    )


def _logged(interactions: pa.Table, contacts: pa.Table) -> np.ndarray:
    """bool[n]: interactions that are the trace of a contact in our own log: it counts once."""
    if not contacts.num_rows:
        return np.zeros(interactions.num_rows, bool)
    return (
        pc.fill_null(pc.is_in(interactions["decision_id"], contacts["decision_id"].combine_chunks()), False).to_numpy()
        & interactions["decision_id"].is_valid().to_numpy()
    )


def _once(interactions: pa.Table, contacts: np.ndarray) -> np.ndarray:
    """bool[n]: of `contacts`, those of one decision with one action on one channel are reports of the same one."""
    rows = np.flatnonzero(contacts & interactions["decision_id"].is_valid().to_numpy())
    if not len(rows):
        return contacts
    of = interactions.select(["decision_id", "channel", "action", "occurred_at"]).take(rows).to_pandas()
    again = of.sort_values("occurred_at", kind="stable").duplicated(["decision_id", "channel", "action"])
    found = contacts.copy()
    found[rows[again.index[again]]] = False
    return found


def _positions(column: pa.Array, words: Sequence[str]) -> np.ndarray:
    """int64[n]: of each text among `words`, SILENCE for null and others."""
    return np.asarray(pc.fill_null(pc.index_in(column, pa.array(words, pa.string())), SILENCE).to_numpy(
        zero_copy_only=False), np.int64)  # fmt: skip


def _words(column: pa.ChunkedArray) -> list[str]:
    return [str(word) for word in pc.unique(column).to_pylist()]
