"""The data themselves: do they still arrive, on every channel, and do contacts still find answers?"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.stats import norm

from features.clock import DAY, isoformat
from features.past import Past
from features.step_words import on_channel
from features.vocabulary import factorise
from features.workspace import Monitor, Settings, WorkspaceError
from training.labels import micros
from training.monitor.drift import LEVEL
from training.monitor.report import Check, answered, unknown
from training.persons import Persons, customers
from training.propensity import Offers, find

#: A channel is missed where it had data on each of so many days before: one of three rows a day or fewer rarely has,
#: so that on stable data a silence of two days rings by chance in less than one look of a thousand.
STEADY_DAYS = 28
#: Answers in the week before below which a fall is not judged.
LEAST_ANSWERS = 20
#: Channels with fewer contacts in either week are judged with the others only.
LEAST_CONTACTS = 200
WEEK = 7 * DAY
#: The subject of a check on all channels together; a channel of that name is told apart.
ALL = "all"


def silence(interactions: pa.Table, now: int, thresholds: Monitor) -> list[Check]:
    """No data at all for some days; no data on a channel that had some every day."""
    at = micros(interactions["occurred_at"])
    limit = thresholds.silent_days
    if not len(at):
        return [Check(check="no_data", subject=ALL, status="alarm", limit=limit, sentence="history is empty")]
    found = [_silent(None, int(at.max()), now, limit)]
    index, channels = factorise(interactions["channel"])
    begin = now - int(limit * DAY)
    recent = (at >= begin - STEADY_DAYS * DAY) & (at < now)
    day, channel, when = (begin - 1 - at[recent]) // DAY, np.asarray(index)[recent], at[recent]
    for code, name in sorted(enumerate(channels), key=lambda pair: str(pair[1])):
        mine = channel == code
        if len(np.unique(day[mine & (day >= 0)])) == STEADY_DAYS:
            found.append(_silent(str(name), int(when[mine].max()), now, limit))
    return found


def _subject(channel: str | None) -> str:
    if channel is None:
        return ALL
    return f"channel {channel}" if channel == ALL else channel


def _silent(channel: str | None, newest: int, now: int, limit: float) -> Check:
    days = (now - newest) / DAY
    what = "any interaction" if channel is None else f"an interaction {on_channel(channel)}"
    sentence = f"{days:.1f} days since {what} ({isoformat(newest)[:19]}Z)"
    return answered(days > limit, "no_data", _subject(channel), days, limit, sentence)


@dataclass(frozen=True)
class Fall:
    """The response rate of a week against the week before: relative change, and how many standard errors it fell."""

    rate: float
    before: float
    contacts: int
    contacts_before: int
    fallen: float

    @classmethod
    def of(cls, responded: np.ndarray, person: np.ndarray, now: np.ndarray, before: np.ndarray) -> "Fall | None":
        """Contacts [n] with 0 or 1; bool[n] says which belong to either week. None where answers are too few.

        Contacts of one customer answer alike: the error is that of sums over customers, under no change.
        """
        counts, counts_before = int(now.sum()), int(before.sum())
        if counts == 0 or responded[before].sum() < LEAST_ANSWERS:
            return None
        rate, rate_before = float(responded[now].mean()), float(responded[before].mean())
        either = now | before
        common = float(responded[either].mean())
        share = np.where(now, 1.0 / counts, np.where(before, -1.0 / counts_before, 0.0))
        _, who = np.unique(person[either], return_inverse=True)
        error = float(np.sqrt((np.bincount(who, ((responded - common) * share)[either]) ** 2).sum()))
        return cls(rate, rate_before, counts, counts_before, (rate_before - rate) / max(error, 1e-12))

    @property
    def change(self) -> float:
        return self.rate / self.before - 1


def responses(past: Past, settings: Settings, now: int) -> list[Check]:
    """Answers to the contacts of the newest week that had time to be answered, against the week before."""
    thresholds = settings.monitor
    rule = settings.propensity.model_copy(update={"horizon_days": thresholds.response_days})
    try:
        offers = find(past, settings.model_copy(update={"propensity": rule}))
    except WorkspaceError:
        text = "history holds no contacts with an action"
        return [unknown("response_rate", ALL, text)]
    end = now - thresholds.response_days * DAY
    person = _people(past, offers, settings, now)
    week = (offers.at >= end - WEEK) & (offers.at < end)
    before = (offers.at >= end - 2 * WEEK) & (offers.at < end - WEEK)
    channels = [
        str(name)
        for name in np.unique(offers.channel[week | before].astype(str))
        if min((offers.channel[week] == name).sum(), (offers.channel[before] == name).sum()) >= LEAST_CONTACTS
    ]
    found = []
    for name in (None, *(channels if len(channels) > 1 else ())):
        mine = np.ones(len(offers.at), bool) if name is None else offers.channel == name
        fall = Fall.of(offers.responded, person, week & mine, before & mine)
        found.append(response_check(name, fall, LEVEL / (1 + len(channels)), thresholds))
    return found


def _people(past: Past, offers: Offers, settings: Settings, now: int) -> np.ndarray:
    """int64[n]: whoever is behind each offer's customer."""
    _, ids = customers(past.interactions)
    persons = Persons.of(ids, past.links, settings)
    place = {name: at for at, name in enumerate(persons.ids.tolist())}
    return persons.at(now)[np.array([place[name] for name in offers.customer.tolist()], int)]


def response_check(channel: str | None, fall: Fall | None, level: float, thresholds: Monitor) -> Check:
    where, subject = "" if channel is None else f" {on_channel(channel)}", _subject(channel)
    if fall is None:
        text = f"response rate{where}: fewer than {LEAST_ANSWERS} answers in the week before, or no contacts since"
        return unknown("response_rate", subject, text)
    z = float(norm.isf(level))
    by_chance = z * fall.change / fall.fallen if fall.fallen else 0.0  # the change that is z standard errors
    limit = min(-thresholds.response_drop, by_chance)
    ringing = fall.change <= -thresholds.response_drop and fall.fallen > z
    moved = f"{fall.change:+.0%} ({-fall.fallen:+.1f} standard errors; rings beyond {limit:.0%})".replace("-", "−")
    sentence = (
        f"response rate{where}: {fall.rate:.2%} of {fall.contacts:,} contacts in {thresholds.response_days} days, the"
        f" week before {fall.before:.2%} of {fall.contacts_before:,}: {moved}"
    )
    return answered(ringing, "response_rate", subject, fall.change, limit, sentence)
