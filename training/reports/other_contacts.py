"""Contacts that another tool made and nobody assigned by chance: who was chosen, and why that is no effect.

For every wave (an action on a channel on a day) the contacted are set beside all other active customers, over the same
days before and after. Waves are pooled with the number of contacted customers as weight for both groups, so that they
differ in who was chosen and not in the season.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY
from features.kernel.jit import compiled
from training.reports import statistics, wording
from training.reports.artefact import Balance, Campaign, OtherContacts
from training.reports.statistics import Sample
from training.reports.uplift.events import Events
from training.reports.wording import Words

METHOD = [
    "For contacts made by other tools, each wave (an action on a channel on a day) sets the contacted beside all other "
    "active customers, over the same days before and after. A standardised difference is the gap in standard "
    "deviations; beyond 0.1 two groups are usually called different (Austin 2009). Targeted contacts give no effect, "
    "whatever the figures after them."
]

#: A report is no warehouse job: where there are more waves, the largest are described, and it says so.
MOST_WAVES = 60

#: Money before, visits before, money after, of one group of one wave.
Figures = tuple[Sample, Sample, Sample]
#: An action on a channel.
Kind = tuple[str, str]


def describe(
    contacts: pa.Table, goals: pa.Table, days: int, active_days: int, known_until: int, unit: str | None
) -> OtherContacts | None:
    """What is known of contacts nobody assigned by chance; None where there are none.

    `contacts`: customer_id, occurred_at, action, channel. `goals`: customer_id, occurred_at, value. Ids are texts, or
    numbers from 0 on. Customers count with a goal in the `active_days` before a wave; `days` before and after it are
    compared; `known_until` in micros.
    """
    if contacts.num_rows == 0:
        return None
    customer, _ = _coded(pa.chunked_array([*goals["customer_id"].chunks, *contacts["customer_id"].chunks]))
    bought = _Bought.of(customer[: goals.num_rows], goals, int(customer.max()) + 1)
    everything = _waves(customer[goals.num_rows :], contacts)
    whole = [wave for wave in everything if bought.first <= wave.day - days and wave.day + days <= known_until // DAY]
    whole.sort(key=lambda wave: (-len(wave.customers), wave.day, wave.kind))
    figures: dict[Kind, list[tuple[Figures, Figures]]] = {wave.kind: [] for wave in sorted(whole, key=lambda w: w.kind)}
    for wave in whole[:MOST_WAVES]:
        groups = bought.beside(wave.customers, wave.day, days, max(active_days, days))
        if groups is not None:
            figures[wave.kind].append(groups)
    campaigns = [_campaign(*kind, groups, days, unit) for kind, groups in figures.items()]
    return OtherContacts(
        days=days,
        unit=unit,
        contacts=contacts.num_rows,
        campaigns=campaigns,
        sentence=_in_all(contacts.num_rows, campaigns, days),
        notes=_notes(len(everything), len(whole), days),
    )


@dataclass(frozen=True)
class _Wave:
    """An action on a channel on a day (since 1970), and the distinct customers whom it was made to."""

    kind: Kind
    day: int
    customers: np.ndarray


def _waves(customer: np.ndarray, contacts: pa.Table) -> list[_Wave]:
    """All of them; `customer` int[contacts]."""
    (action, actions), (channel, channels) = (
        _coded(pc.fill_null(contacts[name], instead)) for name, instead in (("action", "(no action)"), ("channel", ""))
    )
    day = contacts["occurred_at"].cast(pa.int64()).to_numpy() // DAY
    # all four in one number each, so that one sort brings waves together and shows who is in one twice
    begin, people = int(day.min()), int(customer.max()) + 1
    span = int(day.max()) - begin + 1
    wave = (action * len(channels) + channel) * span + day - begin
    numbers = np.sort(wave * people + customer)
    numbers = numbers[np.diff(numbers, prepend=-1) != 0]
    wave = numbers // people
    edges = np.flatnonzero(np.diff(wave, prepend=-1, append=-1))
    found = []
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        which, since = divmod(int(wave[first]), span)
        kind = actions[which // len(channels)].as_py(), channels[which % len(channels)].as_py()
        found.append(_Wave(kind, begin + since, numbers[first:end] % people))
    return found


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """int64[n]: positions among the distinct values; numbers from 0 on stand for themselves."""
    if pa.types.is_integer(column.type):
        return column.to_numpy(), pa.nulls(0)
    coded = pa.concat_arrays(column.chunks).dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary


@dataclass(frozen=True)
class _Bought:
    """Days on which each customer reached the goal, with their money; `first` is the first of them all, since 1970."""

    events: Events
    first: int
    #: [2, 3, customers]: of one wave at a time, as `_around` fills it.
    figures: np.ndarray

    @classmethod
    def of(cls, customer: np.ndarray, goals: pa.Table, customers: int) -> "_Bought":
        """`customer` int64[goals], of so many `customers`: some may have none."""
        day = goals["occurred_at"].cast(pa.int64()).to_numpy() // DAY
        money = np.nan_to_num(goals["value"].to_numpy())
        every = Events.of(customer, day, money, customers)
        # a day counts once, however often somebody bought on it
        new = np.diff(every.at, prepend=-1) != 0
        new[every.start[every.start < len(day)]] = True
        rows = np.flatnonzero(new)
        total = np.add.reduceat(every.value, rows) if len(rows) else every.value
        start = np.searchsorted(rows, every.start)
        first = int(day.min()) if len(day) else np.iinfo(np.int32).max
        return cls(Events(start, every.at[rows], total), first, np.empty((2, 3, customers)))

    def beside(self, chosen: np.ndarray, day: int, days: int, active_days: int) -> tuple[Figures, Figures] | None:
        """One wave's (contacted, others), of customers active before it; None where either group is empty."""
        mine, sizes = np.zeros(self.figures.shape[2], np.bool_), np.zeros(2, np.int64)
        mine[chosen] = True
        _around(self.events.start, self.events.at, self.events.value, mine, day, days, active_days, self.figures, sizes)
        if not sizes.all():
            return None
        others, ours = (
            (Sample.even(before[:size]), Sample.even(visits[:size]), Sample.even(after[:size]))
            for (before, visits, after), size in zip(self.figures, sizes, strict=True)
        )
        return ours, others


@compiled
def _around(
    start: np.ndarray, at: np.ndarray, value: np.ndarray, mine: np.ndarray, day: int, days: int, active_days: int,
    figures: np.ndarray, sizes: np.ndarray,
) -> None:  # fmt: skip
    """One pass over everybody's days: what fell into the `days` before and after `day`, of who was active before.

    figures[mine] are money before, visits before, money after of sizes[mine] customers, in order.
    """
    for i in range(len(mine)):
        before = visits = after = 0.0
        active = False
        for k in range(start[i], start[i + 1]):
            age = day - at[k]
            if age <= -days:
                break
            if age <= 0:
                after += value[k]
                continue
            active |= age <= active_days
            if age <= days:
                before += value[k]
                visits += 1.0
        if active:
            group = np.int64(mine[i])
            n = sizes[group]
            figures[group, 0, n], figures[group, 1, n], figures[group, 2, n] = before, visits, after
            sizes[group] = n + 1


def _campaign(
    action: str, channel: str, waves: Sequence[tuple[Figures, Figures]], days: int, unit: str | None
) -> Campaign:
    """All waves of one action on one channel."""
    weights = [chosen[0].n for chosen, _ in waves]
    pooled = [
        (_pool([chosen[i] for chosen, _ in waves], weights), _pool([other[i] for _, other in waves], weights))
        for i in range(3)
    ]
    (before, others_before), (visits, others_visits), (after, others_after) = pooled
    balance = [
        Balance(
            measure=measure,
            unit=its_unit,
            contacted=one,
            others=other,
            difference=statistics.standardised_difference(one, other) if one.variance + other.variance > 0 else None,
        )
        for measure, its_unit, one, other in (
            (f"Money a customer in the {days} days before", unit, before, others_before),
            (f"Days with a purchase in the {days} days before", None, visits, others_visits),
        )
    ]
    verdict: Literal["targeted", "alike", "too_few"] = "alike"
    if min(before.n, others_before.n) < statistics.SMALLEST_ARM:
        verdict = "too_few"
    elif any(one.difference is not None and abs(one.difference) >= statistics.IMBALANCE for one in balance):
        verdict = "targeted"
    found = Campaign(
        action=action,
        channel=channel,
        waves=len(waves),
        contacts=before.n,
        balance=balance,
        before=(before.mean, others_before.mean),
        after=(after.mean, others_after.mean),
        verdict=verdict,
        sentence="",
    )
    return found.model_copy(update={"sentence": _sentence(found, days, unit)})


def _pool(samples: Sequence[Sample], weights: Sequence[int]) -> Sample:
    """Weighted means of the waves' means and variances; members are counted as often as they were in a wave."""
    total = sum(weights)
    if not total:
        return Sample(0, 0.0, 0.0)
    mean = sum(weight * one.mean for weight, one in zip(weights, samples, strict=True)) / total
    variance = sum(weight * one.variance for weight, one in zip(weights, samples, strict=True)) / total
    return Sample(sum(one.n for one in samples), mean, variance)


def _sentence(found: Campaign, days: int, unit: str | None) -> str:
    if found.verdict == "too_few":
        return f"Too few contacts of {found.action} can be compared to say who was chosen."
    money = Words("", "amount", unit)
    before, after = (against(money, *pair) for pair in (found.before, found.after))
    if found.verdict == "alike":
        return (
            f"{found.action} went to customers who had bought about as much as the others in the {days} days before "
            f"({before}). Still, nothing shows that chance chose them, so the {days} days after ({after}) are no proof "
            "of an effect."
        )
    telling = next(one for one in found.balance if abs(one.difference or 0.0) >= statistics.IMBALANCE)
    apart = wording.number(abs(telling.difference or 0.0), 0.1)
    more = "more" if (telling.difference or 0.0) > 0 else "less"
    if telling is found.balance[0]:
        habit, seen = f"already spent {more}", before
    else:
        visits = Words("", "amount")
        habit = f"already bought {more} often"
        seen = f"days with a purchase: {against(visits, telling.contacted.mean, telling.others.mean)}"
    return (
        f"{found.action} was targeted: it went to customers who {habit} than the others before it came ({seen} in the "
        f"{days} days before; {apart} standard deviations apart). The difference in the {days} days after ({after}) is "
        f"therefore no effect of the contact{_share(found)}."
    )


def against(words: Words, one: float, other: float) -> str:
    """Two levels with the same digits: "226 USD against 86 USD"."""
    precision = max(abs(one), abs(other)) / 10
    return f"{words.level(one, precision)} against {words.level(other, precision)}"


def _share(found: Campaign) -> str:
    """How much of the gap after was there before, where that can be said."""
    gap_before, gap_after = (a - b for a, b in (found.before, found.after))
    if gap_before * gap_after <= 0:
        return ""
    share = gap_before / gap_after
    if share >= 1:
        return ": the gap was at least as large before"
    return f": {wording.percent(share, 0.01)} of that gap was there before it"


def _in_all(contacts: int, campaigns: Sequence[Campaign], days: int) -> str:
    said = f"Other tools made {contacts:,} contacts, and no random draw is known to have decided who got one."
    shown = [one for one in campaigns if one.verdict != "too_few"]
    targeted = [one.action for one in shown if one.verdict == "targeted"]
    if not shown:
        return f"{said} Too few of them can be compared over {days} days before and after to say more."
    if not targeted:
        return f"{said} Those chosen looked much like the others before, yet that proves no effect: ask for a holdout."
    who = "All of them" if len(targeted) == len(shown) > 1 else wording.listed(targeted)
    return (
        f"{said} {who} {'were' if len(targeted) > 1 else 'was'} targeted: the customers chosen differed from the "
        "others before the contact, so what happened afterwards shows who was chosen, not what the contact did. "
        "Only a random holdout can show that."
    )


def _notes(everything: int, complete: int, days: int) -> list[str]:
    notes = []
    if everything > complete:
        notes.append(
            f"{everything - complete:,} of {everything:,} waves are left out, because the log does not hold the "
            f"{days} days before and after them."
        )
    if complete > MOST_WAVES:
        notes.append(f"Of {complete:,} waves, the {MOST_WAVES} largest are described.")
    return notes
