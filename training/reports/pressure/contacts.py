"""How often customers are contacted: by channel, by whom, how unevenly, and how that moves."""

import numpy as np

from features import clock
from features.clock import DAY
from training.reports.pressure import words
from training.reports.pressure.artefact import ByChannel, Contacts, Share, Week
from training.reports.pressure.log import Log, by_channel
from training.reports.statistics import SMALLEST_ARM

#: Numbers of contacts that customers are told apart by.
STEPS = (0, 1, 2, 3, 4, 6, 8, 12)


def contacts(log: Log, days: int, weeks: int) -> Contacts:
    """Of the last `days`; `weeks` of trend. The days before are told by the customers who were active then."""
    now, former = log.within(days), log.within(days, days)
    active = _either(log, log.active, now)
    customers = int(active.sum())
    counts = np.bincount(log.who[now], minlength=len(log.ids))[active]
    known_before = log.begins <= log.until - 2 * days * DAY
    people_weeks = max(customers, 1) * days / 7
    later, earlier = (int(_either(log, *each).sum()) for each in zip(log.alike, (now, former), strict=True))
    before_weeks = people_weeks * max(earlier, 1) / max(later, 1)
    found = Contacts(
        total=int(now.sum()),
        others=int((now & ~log.own).sum()),
        customers=int((counts > 0).sum()),
        a_week=float(now.sum()) / people_weeks,
        before=float(former.sum()) / before_weeks if known_before else None,
        most_pressed=_top(counts),
        channels=_channels(log, now, former, (people_weeks, before_weeks)),
        shares=_shares(counts),
        weeks=_weeks(log, weeks),
        sentence="",
    )
    return found.model_copy(update={"sentence": words.contacts(found, customers, days)})


def _either(log: Log, active: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """bool[persons]: who is among these numbers or got one of these contacts."""
    found = np.zeros(len(log.ids), bool)
    found[active] = True
    found[log.who[rows]] = True
    return found


def _channels(log: Log, now: np.ndarray, former: np.ndarray, weeks: tuple[float, float]) -> list[ByChannel]:
    """`weeks`: of all customers together, now and then."""
    found = []
    for name in by_channel(log, now):
        mine = now & (log.channel == log.channels.index(name))
        each = np.bincount(log.who[mine])
        before = former & (log.channel == log.channels.index(name))
        found.append(
            ByChannel(
                channel=name,
                ours=int((mine & log.own).sum()),
                others=int((mine & ~log.own).sum()),
                customers=int((each > 0).sum()),
                most=int(each.max()),
                a_week=float(mine.sum()) / weeks[0],
                before=float(before.sum()) / weeks[1],
            )
        )
    return sorted(found, key=lambda one: (-one.ours - one.others, one.channel))


def _shares(counts: np.ndarray) -> list[Share]:
    """Customers by how many contacts they got."""
    ends = [*(step - 1 for step in STEPS[1:]), None]
    place = np.searchsorted(STEPS, counts, side="right") - 1
    numbers = np.bincount(place, minlength=len(STEPS))
    return [
        Share(contacts=start, up_to=end, customers=int(n)) for start, end, n in zip(STEPS, ends, numbers, strict=True)
    ]


def _top(counts: np.ndarray) -> float | None:
    """Share of contacts that went to the tenth of customers with most; None where there are none, or hardly anybody."""
    if not counts.sum() or len(counts) < SMALLEST_ARM:
        return None
    tenth = round(len(counts) / 10)
    return float(np.sort(counts)[::-1][:tenth].sum() / counts.sum())


def _weeks(log: Log, weeks: int) -> list[Week]:
    """Whole weeks up to the end, oldest first; none from before the log begins."""
    found = []
    for back in range(weeks - 1, -1, -1):
        rows = log.within(7, 7 * back)
        begins = log.until - 7 * (back + 1) * DAY
        if begins < log.begins - DAY:
            continue
        ours = int((rows & log.own).sum())
        found.append(
            Week(
                first=clock.isoformat(begins)[:10],
                contacts=dict(by_channel(log, rows)),
                ours=ours,
                others=int(rows.sum()) - ours,
            )
        )
    return found
