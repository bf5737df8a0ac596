"""Rests: open cases, and cool-downs after a complaint, a rejection, and contacts that nobody answered."""

from collections.abc import Iterable, Iterator, Sequence

from serving.decisions.customer import Customer
from serving.decisions.fate import Trip
from serving.decisions.guard.gates import day
from serving.decisions.guard.standing import Standing
from serving.decisions.policy import Action, Actions, AfterIgnored, ContactPolicy, CoolDown, micros
from serving.decisions.profile import Moment, Profile


def open_cases(profile: Profile, policy: ContactPolicy, now: int) -> Iterator[Trip]:
    """An open complaint or service case suppresses selling on every channel."""
    rule = policy.open_case
    if profile.cases:
        for kind, case_id, since in profile.open_cases(rule.suppresses):
            yield Trip(f"open {_words(kind)}", f"{_words(kind)} {case_id} is open since {day(since.at)}", None)
    for kind in rule.suppresses if profile.caseless else ():
        since_at = profile.caseless.get(kind)
        until = None if since_at is None else since_at.at + micros(rule.without_case)
        if since_at is not None and until is not None and now < until:
            text = f"a {_words(kind)} of {day(since_at.at)} has no case to close it"
            yield Trip(f"open {_words(kind)}", text, until)


def after_complaint(profile: Profile, rule: CoolDown, now: int) -> Iterator[Trip]:
    """No selling after a contact was complained about."""
    last = profile.complained
    until = None if last is None else last.at + micros(rule.after_complaint)
    if last is not None and until is not None and now < until:
        yield Trip("cool-down after complaint", f"complained about a contact on {day(last.at)}", until)


def after_rejection(profile: Profile, actions: Actions, rule: CoolDown, action: Action, now: int) -> Iterator[Trip]:
    """The rejected action rests, and for a shorter time the others of its group."""
    for name, last in profile.rejected.items():
        rejected = actions.by_name.get(name)
        if name == action.name:
            rest = rule.actions.get(name) or rule.groups.get(action.group) or rule.after_rejection.action
        elif rejected is not None and rejected.group == action.group:
            rest = rule.groups.get(action.group) or rule.after_rejection.group
        else:
            continue
        if now < (until := last.at + micros(rest)):
            yield Trip("cool-down after rejection", f"rejected {name} on {day(last.at)}", until)


def concerned(customer: Customer, actions: Actions) -> frozenset[str]:
    """Names that `after_rejection` and `withheld` may be about: of actions, and of the groups of what was rejected."""
    rejected = customer.profile.rejected
    groups = [actions.by_name[name].group for name in rejected if name in actions.by_name]
    ghosts = [contact.action for contact in customer.contacts if contact.state == "ghost"]
    return frozenset([*rejected, *groups, *ghosts])


def withheld(customer: Customer, name: str, now: int) -> Iterator[Trip]:
    """What was withheld to measure its effect stays withheld while the effect is being measured."""
    for contact in customer.contacts:
        until = contact.respond_by
        if contact.state == "ghost" and contact.action == name and until is not None and now < until:
            yield Trip("withheld", f"withheld on {day(contact.reserved_at)} to measure its effect", until)


def unanswered(at: int, answered: Moment | None) -> bool:
    """Whether a contact made at `at` was ignored so far: no reaction on its channel came since."""
    return answered is None or at > answered.at


class Ignored:
    """Shut for a rest each time that a contact joins `count` or more in a row which nobody answered.

    It joins them once its response window is over.
    """

    __slots__ = ("channel", "closes", "rule")

    def __init__(self, rule: AfterIgnored, channel: str, contacts: Iterable[Standing], answered: Moment | None) -> None:
        self.rule, self.channel = rule, channel
        self.closes = sorted(
            each.respond_by
            for each in contacts
            if each.held is None and each.channel == channel and unanswered(each.at, answered)
        )

    def resting_until(self, t: int) -> int | None:
        closed = [at for at in self.closes if at <= t]
        if len(closed) < self.rule.count:
            return None
        until = closed[-1] + self.rule.length
        return until if t < until else None

    def after(self, t: int) -> int | None:
        while (until := self.resting_until(t)) is not None:
            t = until
        return t

    def trip(self, now: int) -> Trip | None:
        if self.resting_until(now) is None:
            return None
        number = sum(at <= now for at in self.closes)
        text = f"the last {number} contacts on {self.channel} were not answered" if number > 1 else (
            f"the last contact on {self.channel} was not answered"
        )  # fmt: skip
        return Trip("cool-down after ignored", text, self.after(now))


def unheard(rule: AfterIgnored, channel: str, contacts: Sequence[Standing], profile: Profile) -> Ignored | None:
    """A gate where enough contacts were not answered, or may turn out not to have been."""
    gate = Ignored(rule, channel, contacts, profile.answered.get(channel))
    return gate if len(gate.closes) >= rule.count else None


def _words(kind: str) -> str:
    return {"case_opened": "case"}.get(kind, kind)
