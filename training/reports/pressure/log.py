"""What the report reads: contacts, ours and other tools', and customers' answers to them, by person and instant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY
from features.history import History
from features.interactions import OPTED_OUT
from features.workspace import Workspace, WorkspaceError, read_yaml
from serving.decisions.policy.contact_policy import ContactPolicy
from training import contacted
from training.fatigue.log import COMPLAINED
from training.persons import Numbered
from training.reports import daily, outreach
from training.reports.daily import Partial
from training.reports.database import connect

_COLUMNS = ("day", "customer_id", "at", "channel", "decision_id", "action")


@dataclass(frozen=True)
class Log:
    """Contacts in order of person and time, [n] each: `who` (a number), `at` (microseconds), `channel` (a position in
    `channels`), `own` (ours, or another tool's); `answered`: within so many days, if they have passed (-1: not yet).

    `ids` (object) are the persons' by number, `active` (sorted numbers) those of the last active days, `alike` those of
    stretches equally long before the end and before the days looked at, as long as the log is known before these.
    `begins` and `until`: between which instants the log is known.
    """

    who: np.ndarray
    at: np.ndarray
    channel: np.ndarray
    own: np.ndarray
    answered: np.ndarray
    channels: tuple[str, ...]
    ids: np.ndarray
    active: np.ndarray
    alike: tuple[np.ndarray, np.ndarray]
    opted_out: frozenset[tuple[int, str]]
    begins: int
    until: int

    def within(self, days: int, back: int = 0) -> np.ndarray:
        """bool[n]: contacts of `days`, `back` days before the end."""
        end = self.until - back * DAY
        return (self.at >= end - days * DAY) & (self.at < end)


def policy_of(workspace: Workspace) -> ContactPolicy | None:
    """What contact_policy.yaml states; None where there is none."""
    return read_yaml(workspace.policy_file, ContactPolicy) if workspace.policy_file.is_file() else None


def read(workspace: Workspace, days: int, answer_days: int) -> Log:
    """The last `days` are looked at. Raises WorkspaceError where there are no interactions."""
    settings, history = workspace.settings, History(workspace)
    stated = policy_of(workspace) or ContactPolicy()
    if not history.batches():
        raise WorkspaceError(
            f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE` first"
        )
    outbound = daily.up_to_date(workspace, outreach.contacts(stated.not_contacts))
    own = daily.up_to_date(workspace, _OWN)
    if own.num_rows:
        own = own.filter(pa.array(contacted.made(own)))
    answers = daily.up_to_date(workspace, outreach.answers(settings.propensity.responses))
    begins, until, alive = _active(history, workspace, days)
    table = _once(outreach.whole(outbound), outreach.whole(own))
    answers = outreach.whole(answers)
    known = [one["customer_id"] for one in (table, answers, alive)]
    persons = Numbered.of(known, history.links(), settings)
    channels = tuple(dict.fromkeys([*settings.channels, *pc.unique(table["channel"]).to_pylist()]))
    who, at = persons.number(table["customer_id"]), table["at"].to_numpy()
    order = np.lexsort((at, who))
    answered = _answered(table, answers, at, answer_days, until)
    codes = pc.index_in(table["channel"], pa.array(channels, pa.string())).to_numpy()
    said = answers.filter(pc.equal(answers["type"], OPTED_OUT))
    opted = zip(persons.number(said["customer_id"]).tolist(), said["channel"].to_pylist(), strict=True)

    def among(name: str) -> np.ndarray:
        return np.unique(persons.number(alive["customer_id"].filter(alive[name])))

    return Log(
        who[order],
        at[order],
        codes[order].astype(np.int64),
        table["own"].to_numpy(zero_copy_only=False)[order],
        answered[order],
        channels,
        persons.ids,
        among("active"),
        (among("later"), among("earlier")),
        frozenset(opted),
        begins,
        until,
    )


#: What our own log of contacts says was made, or may have been: that a claim was never reported, no day knows.
_OWN = Partial(
    "sent",
    "1 " + " ".join(contacted.TOLD),
    "contacts",
    lambda rows: rows.sql(
        """SELECT day, customer_id, epoch_us(changed_at) AS at, channel, decision_id, action, contact_id, status
           FROM log WHERE list_contains($told, status)""",
        told=list(contacted.TOLD),
    ),
)


def _once(made: pa.Table, sent: pa.Table) -> pa.Table:
    """Contacts of both logs, each one once, and whether they were ours."""
    own = pc.is_valid(made["decision_id"])
    seen = pc.is_in(made["decision_id"], sent["decision_id"].combine_chunks().drop_null())
    made = made.append_column("own", own).filter(pc.invert(pc.and_(own, seen)))
    sent = sent.append_column("own", pa.array(np.ones(len(sent), bool)))
    return pa.concat_tables([one.select([*_COLUMNS, "own"]) for one in (made, sent)], promote_options="permissive")


def _answered(table: pa.Table, answers: pa.Table, at: np.ndarray, days: int, until: int) -> np.ndarray:
    """int8[n]: whether a customer answered each contact within so many days; -1 where these are not over.

    An answer belongs to the contact of its decision; without one, to those of the same customer and action.
    """
    wanted = answers.filter(pc.invert(pc.is_in(answers["type"], pa.array([OPTED_OUT, COMPLAINED]))))
    made = table.append_column("row", pa.array(np.arange(len(table))))
    with connect() as database:
        database.register("made", made)
        database.register("answers", wanted)
        found = database.sql(
            f"""SELECT row FROM made JOIN answers USING (decision_id)
                WHERE answers.at >= made.at AND answers.at < made.at + {days * DAY}
                UNION
                SELECT row FROM made JOIN answers ON made.customer_id = answers.customer_id
                    AND made.action = answers.action AND answers.decision_id IS NULL
                WHERE answers.at >= made.at AND answers.at < made.at + {days * DAY}"""
        ).to_arrow_table()
    answered = np.zeros(len(table), np.int8)
    answered[found["row"].to_numpy()] = 1
    answered[at > until - days * DAY] = -1
    return answered


def _active(history: History, workspace: Workspace, days: int) -> tuple[int, int, pa.Table]:
    """When the log begins and ends, and who was `active` in the last active days, and who in a stretch equally long
    before the end (`later`) and `days` before it (`earlier`): a log that began lately knows fewer former ones."""
    batches = history.batches()
    first, last = min(batch.first_day for batch in batches), max(batch.last_day for batch in batches)
    long = workspace.settings.churn.active_days
    with connect() as database:
        files = history.logs["interactions"].days()
        known = sorted(files)
        newest = [str(path) for path in files[known[-1]]]
        asked = {"files": newest}
        end = database.execute("SELECT epoch_us(max(occurred_at)) FROM read_parquet($files)", asked).fetchall()[0][0]
        until, begins = min(workspace.clock().now(), int(end) + 1), known[0] * DAY
        since, then = until // DAY - long, until - days * DAY
        stretch = max(0, min(long * DAY, then - begins))
        recent = [str(path) for day in known if day >= since for path in files[day]]
        if not recent:
            raise WorkspaceError(
                f"{workspace.history}: the log ({first} to {last}) lies ahead of the workspace's clock"
            )
        before = [str(path) for day in known if (then - stretch) // DAY <= day < since for path in files[day]]
        alive = database.sql(
            """SELECT customer_id, bool_or(moment >= $since) AS active,
                bool_or(moment >= $until - $stretch AND moment < $until) AS later,
                bool_or(moment >= $then - $stretch AND moment < $then) AS earlier
                FROM (SELECT customer_id, epoch_us(occurred_at) AS moment FROM read_parquet($files))
                GROUP BY customer_id""",
            params={"files": before + recent, "since": since * DAY, "until": until, "then": then, "stretch": stretch},
        ).to_arrow_table()
    return begins, until, alive


def by_channel(log: Log, rows: np.ndarray) -> Mapping[str, int]:
    """Of the contacts marked, by channel; those without any are left out."""
    counts = np.bincount(log.channel[rows], minlength=len(log.channels))
    return {name: int(n) for name, n in zip(log.channels, counts, strict=True) if n}
