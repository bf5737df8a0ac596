"""Hook: what the order of a customer's interactions says (sessions, moves, hours, stages, contacts and replies).

Rows come newest first, so each function knows the row that came next in time, never the one before. Every row is
described by its roles (see roles.py): bits that are only set where a feature asks for them.
"""

from typing import Any

from features.clock import DAY, HOUR, MINUTE
from features.kernel.accumulators import CHANNEL, NAMED_TYPE, NEVER, ROLES, STAGE
from features.kernel.jit import inlined
from features.kernel.roles import (
    BEFORE_HELP,
    CLOCK,
    CONTACT,
    DEED,
    HELP,
    MOVE,
    REACTION,
    RESPONSE,
    SESSION,
    SHARE,
    STAGED,
)

#: A longer pause ends a session.
SESSION_BREAK = 30 * MINUTE
#: Help that is sought this soon after a digital interaction is an escalation.
ESCALATION = 24 * HOUR
#: A contact is answered by the next response within this time, where no other contact lies between.
ANSWER = 30 * DAY
#: How many runs of channels and types are remembered.
RUNS = 3

#: Columns of `steps`: totals by band of age. Transitions that the catalogue asks for come after them.
SESSIONS, SESSION_TIME, SESSION_ROWS, SWITCHES, ESCALATIONS, STAGE_CHANGES, CONTACTS, ANSWERED, LOAD = range(9)
RESOLVED, RESOLVE_TIME = 9, 10  # filled by the hook of cases
STEPS = 11

#: Positions in `marks`. First what is remembered of the row next in time: an instant or NEVER, its band of age.
SESSION_AT, HELP_AT, ANSWER_AT, SESSION_BAND, HELP_BAND, MOVE_BAND, STAGE_BAND, HOUR_AT = range(8)
MOVE_CHANNEL, DEED_TYPE, STAGE_NEXT = 8, 9, 10
#: What features read: the stage, when it began, the stage before it, contacts without a reaction since.
STAGE_NOW, STAGE_SINCE, STAGE_BEFORE, IGNORED, REACTED = range(11, 16)
#: The newest runs of channels and of types (-1 without), and how many there are.
CHANNEL_RUNS, TYPE_RUNS = 16, 17
CHANNEL_RUN, TYPE_RUN = 18, 18 + RUNS
#: Histograms: clock hours, weekdays (Monday first), channels (the first is any that the workspace does not list).
HOURS = TYPE_RUN + RUNS
WEEKDAYS = HOURS + 24
CHANNEL_COUNTS = WEEKDAYS + 7
#: Before the channels, of which each workspace has its own number.
MARKS = CHANNEL_COUNTS


@inlined
def clear_sequence(acc: Any) -> None:
    """Before the first row; `steps` are zeros already."""
    acc.marks[:] = 0
    acc.marks[SESSION_AT : ANSWER_AT + 1] = NEVER
    acc.marks[HOUR_AT] = NEVER
    acc.marks[MOVE_CHANNEL : STAGE_NEXT + 1] = -1
    acc.marks[STAGE_NOW] = -1
    acc.marks[STAGE_BEFORE] = -1
    acc.marks[CHANNEL_RUN : TYPE_RUN + RUNS] = -1
    acc.shares[:] = 0.0


@inlined
def add_sequence(acc: Any, met: Any, columns: Any, tables: Any, i: int, day: int, band: int, mark: int) -> None:  # noqa: ARG001
    """Row `i`, `day` whole days old, in window `band` and all longer ones; rows come newest first."""
    code = columns.key[i] >> 1
    roles = tables.traits[code, ROLES]
    if roles == 0:
        return
    at = columns.at[i]
    if roles & SESSION:
        add_to_session(acc, at, band)
    if roles & (MOVE | SHARE):
        add_channel(acc, tables, roles, tables.traits[code, CHANNEL] + 1, band)
    if roles & DEED:
        add_type(acc, tables.traits[code, NAMED_TYPE])
    if roles & CLOCK:
        add_hour(acc, at)
    if roles & (BEFORE_HELP | HELP):
        add_escalation(acc, roles, at, band)
    if roles & STAGED:
        add_stage(acc, tables.traits[code, STAGE], at, band)
    if roles & (CONTACT | RESPONSE | REACTION):
        add_contact(acc, tables, roles, code, at, day, band)


@inlined
def add_to_session(acc: Any, at: int, band: int) -> None:
    """A session is as old as its last interaction, which is met first."""
    until_next = acc.marks[SESSION_AT] - at
    if until_next > SESSION_BREAK:
        acc.marks[SESSION_BAND] = band
        acc.steps[band, SESSIONS] += 1
    else:
        acc.steps[acc.marks[SESSION_BAND], SESSION_TIME] += until_next
    acc.steps[acc.marks[SESSION_BAND], SESSION_ROWS] += 1
    acc.marks[SESSION_AT] = at


@inlined
def add_channel(acc: Any, tables: Any, roles: int, channel: int, band: int) -> None:
    """A switch is as old as the first interaction on the new channel; repeats on one channel are one run."""
    if roles & SHARE:
        acc.marks[CHANNEL_COUNTS + channel] += 1
    if not roles & MOVE:
        return
    following = acc.marks[MOVE_CHANNEL]
    if following != channel:
        if following >= 0:
            acc.steps[acc.marks[MOVE_BAND], SWITCHES] += 1
            asked = tables.transitions[channel, following]
            if asked:
                acc.steps[acc.marks[MOVE_BAND], asked] += 1
        runs = acc.marks[CHANNEL_RUNS]
        if runs < RUNS:
            acc.marks[CHANNEL_RUN + runs] = channel - 1
            acc.marks[CHANNEL_RUNS] += 1
        acc.marks[MOVE_CHANNEL] = channel
    acc.marks[MOVE_BAND] = band


@inlined
def add_type(acc: Any, named: int) -> None:
    """The newest few types; repeats are one run."""
    if acc.marks[DEED_TYPE] == named:
        return
    acc.marks[DEED_TYPE] = named
    runs = acc.marks[TYPE_RUNS]
    if runs < RUNS:
        acc.marks[TYPE_RUN + runs] = named
        acc.marks[TYPE_RUNS] += 1


@inlined
def add_hour(acc: Any, at: int) -> None:
    """A clock hour counts once, however much happened in it, so that many lines of one basket are one visit."""
    hours = at // HOUR
    if hours == acc.marks[HOUR_AT]:
        return
    acc.marks[HOUR_AT] = hours
    days = hours // 24
    acc.marks[HOURS + hours - 24 * days] += 1
    acc.marks[WEEKDAYS + (days + 3) % 7] += 1  # the epoch was a Thursday


@inlined
def add_escalation(acc: Any, roles: int, at: int, band: int) -> None:
    """Help escalates the digital interaction next before it, unless it had sought help in between."""
    if roles & HELP:
        acc.marks[HELP_AT] = at
        acc.marks[HELP_BAND] = band
    elif acc.marks[HELP_AT] - at <= ESCALATION:
        acc.steps[acc.marks[HELP_BAND], ESCALATIONS] += 1
        acc.marks[HELP_AT] = NEVER
    else:
        acc.marks[HELP_AT] = NEVER


@inlined
def add_stage(acc: Any, stage: int, at: int, band: int) -> None:
    """The stage of the newest, since when without another, and the one before; a change is as old as its first row."""
    marks = acc.marks
    following = marks[STAGE_NEXT]
    if following < 0:
        marks[STAGE_NOW] = stage
    elif following != stage:
        acc.steps[marks[STAGE_BAND], STAGE_CHANGES] += 1
        if marks[STAGE_BEFORE] < 0:
            marks[STAGE_BEFORE] = stage
    if marks[STAGE_BEFORE] < 0:
        marks[STAGE_SINCE] = at
    marks[STAGE_NEXT] = stage
    marks[STAGE_BAND] = band


@inlined
def add_contact(acc: Any, tables: Any, roles: int, code: int, at: int, day: int, band: int) -> None:
    """A response answers the newest contact before it; a reaction ends the count of ignored ones."""
    if roles & RESPONSE:
        acc.marks[ANSWER_AT] = at
    if roles & REACTION:
        acc.marks[REACTED] = 1
    if not roles & CONTACT:
        return
    acc.steps[band, CONTACTS] += 1
    if acc.marks[ANSWER_AT] - at <= ANSWER:
        acc.steps[band, ANSWERED] += 1
    acc.marks[ANSWER_AT] = NEVER
    acc.marks[IGNORED] += 1 - acc.marks[REACTED]
    load = tables.load[code]
    acc.steps[band, LOAD] += load
    for h in range(tables.weights.shape[0]):
        acc.shares[h] += load * tables.weights[h, day]


@inlined
def finish_sequence(acc: Any, tables: Any, t: int) -> None:
    """After the oldest row: nothing is left open, since a row only ever completes what came after it."""
