"""Which caps are full for one customer. What cannot be full is never looked at."""

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from serving.decisions.fate import Trip
from serving.decisions.guard.calendar import Calendar
from serving.decisions.guard.caps import CalendarCap, rolling, scaled
from serving.decisions.guard.gates import Found, gated, refused
from serving.decisions.guard.plan import Counted, Reaching
from serving.decisions.guard.standing import Standing

#: Caps and quiet hours by the customer's clock, where nobody knows it.
NO_ZONE = refused(Trip("time zone", "the customer's time zone is unknown", None))


class Full:
    """Those caps that are full now or, by what has happened already, may be."""

    def __init__(
        self,
        caps: Sequence[Reaching],
        counted: Mapping[int, Collection[str | None]],
        contacts: Sequence[Standing],
        factor: float,
        now: int,
        calendar: Calendar | None,
    ) -> None:
        """`counted`: by the position of a cap, under which names it counts."""
        self.caps, self.factor, self.now, self.calendar = caps, factor, now, calendar
        self.contacts = sorted(contacts, key=attrgetter("at"))
        self._found: dict[Counted, Found | None] = {}  # None: not asked yet
        self._groups: dict[str, dict[str | None, list[Standing]]] = {}
        for i, cap, length in caps:
            most = scaled(cap.max, factor)
            since = now - length
            if cap.per is not None and calendar is None:
                self._found |= dict.fromkeys([(i, value) for value in counted[i]], NO_ZONE)
            elif most == 0:
                self._found |= dict.fromkeys([(i, value) for value in counted[i]])
            elif len(contacts) >= most:
                for value, group in self._by(cap.scope).items():
                    if len(group) >= most and group[-most].at >= since:
                        self._found[i, value] = None
        self.any = bool(self._found)

    def of(self, caps: Sequence[Counted]) -> list[Found]:
        """What those of these caps say that are full."""
        full = self._found
        return [full[counted] or self._ask(counted) for counted in caps if counted in full]

    def _ask(self, counted: Counted) -> Found:
        i, value = counted
        _, cap, length = self.caps[i]
        inside = [each for each in self._by(cap.scope).get(value, ()) if each.at >= self.now - length]
        most = scaled(cap.max, self.factor)
        if self.calendar is None or cap.per is None:
            found = refused(rolling(cap, value, most, inside))
        else:
            found = gated(CalendarCap(cap, value, most, inside, self.calendar), self.now)
        self._found[counted] = found
        return found

    def _by(self, scope: str) -> dict[str | None, list[Standing]]:
        """All contacts, oldest first, by what a cap of this scope counts by."""
        found = self._groups.get(scope)
        if found is not None:
            return found
        found = self._groups[scope] = {}
        if scope == "total":
            found[None] = self.contacts
            return found
        for contact in self.contacts:
            for value in set(contact.tags) if scope == "tag" else (getattr(contact, scope),):
                if value in found:
                    found[value].append(contact)
                else:
                    found[value] = [contact]
        return found
