"""What journeys come to, in sentences made from the figures; also when there is little to say."""

from calendar import month_name
from collections.abc import Sequence

from features.journeys.figures import Figures, Stall

#: Journeys that must have ended before anything is said of all of them.
FEWEST = 30


def headline(found: Figures, goal: str) -> str:
    """How often journeys lead to the goal, how fast, and where most of the others stop."""
    whole = found.totals
    if whole.over < FEWEST:
        return f"Too few to tell: {_journeys(whole.over)} ended so far, and a share of fewer than {FEWEST} says little."
    if not whole.reached:
        said = f"None of {whole.over:,} journeys that ended reached {a(goal)}"
    else:
        said = f"{percent(whole.reached, whole.over)} of {whole.over:,} journeys that ended reached {a(goal)}"
        said += beside(whole.journeys - whole.over, whole.journeys, "still open")
        if whole.seconds_to_goal is not None and whole.seconds_to_goal >= 60:
            said += f", half of them within {duration(whole.seconds_to_goal)}"
    worst = worst_stall(found)
    if worst is None:
        return f"{said}."
    quiet = whole.over - whole.reached
    return (
        f"{said}; on {percent(worst.quiet, quiet)} of {'the others' if whole.reached else 'them'} the last thing that "
        f"customers do is “{worst.step}”."
    )


def worst_stall(found: Figures) -> Stall | None:
    """The customers' own step after which most journeys go quiet; None where none does."""
    own = [stall for stall in found.stalls if stall.own and stall.quiet]
    return max(own, key=lambda stall: (stall.quiet, stall.key), default=None)


def next_week(found: Figures) -> str | None:
    """The one thing to change, where the figures name one."""
    worst = worst_stall(found)
    if found.totals.over < FEWEST or worst is None or worst.stuck is None or worst.quiet < FEWEST:
        return None
    return (
        f"Give customers a next step after “{worst.step}”: {worst.quiet:,} journeys stopped there, "
        f"{percent(worst.quiet, worst.quiet + worst.moved)} of those that could have gone on."
    )


def findings(found: Figures, goal: str) -> list[str]:
    """What else is worth saying: the trend, channels, loops, what comes before leaving."""
    if found.totals.over < FEWEST:
        return []
    told = [_trend(found, goal), _channels(found), _loops(found), _leaving(found)]
    return [sentence for sentence in told if sentence is not None]


def _trend(found: Figures, goal: str) -> str | None:
    if found.trend is None:
        return "The log is too short for a trend: it takes two whole months whose journeys are over."
    before, lately = found.trend
    said = f"{lately.journeys:,.0f} journeys a month began {_during(lately.months)}, {before.journeys:,.0f} a month in "
    said += "the month before" if len(before.months) == 1 else f"the {len(before.months)} months before"
    if lately.reached is not None and before.reached is not None:
        said += f"; {100 * lately.reached:.0f}% of them reached {a(goal)}, {100 * before.reached:.0f}% before"
    now, then = lately.satisfaction, before.satisfaction
    if now.value is None or now.low is None or now.high is None:
        return f"{said}."
    if then.value is None or then.low is None or then.high is None:
        return f"{said}."
    apart = now.low > then.high or now.high < then.low
    word = ("rose" if now.value > then.value else "fell") if apart else "did not clearly change"
    return (
        f"{said}. Satisfaction {word}: {100 * now.value:.0f}% of the best rating (likely {100 * now.low:.0f}% to "
        f"{100 * now.high:.0f}%), {100 * then.value:.0f}% before ({100 * then.low:.0f}% to {100 * then.high:.0f}%)."
    )


def _channels(found: Figures) -> str | None:
    journeys = sum(found.breadth)
    mean = sum(k * count for k, count in enumerate(found.breadth)) / max(1, journeys)
    said = f"A journey touches {mean:.1f} channels on average"
    if found.trend is not None:
        before, lately = found.trend
        said += f" ({lately.channels:.1f} lately, {before.channels:.1f} before)"
    moved = [channel for channel in found.channels if channel.change is not None and abs(channel.change) >= 0.01]
    if not moved:
        return f"{said}."
    most = max(moved, key=lambda channel: abs(channel.change or 0.0))
    grew = "gained" if (most.change or 0) > 0 else "lost"
    name = most.channel.replace("_", " ")
    return f"{said}; {name} {grew} most, {100 * abs(most.change or 0):.0f} points of all journeys."


def _loops(found: Figures) -> str | None:
    if not found.looping:
        return "No journey comes back to a step."
    said = f"On {percent(found.looping, found.totals.journeys)} of journeys customers come back to a step"
    if not found.loops:
        return f"{said}."
    most = found.loops[0]
    return f"{said}, most often from “{most.step}” to “{most.over}” and back ({most.times:,} times)."


def _leaving(found: Figures) -> str | None:
    flow = found.before_leaving
    if not flow.sequences:
        return "Nobody has left yet."
    last = [link for link in flow.links if link.target_key == "left"]
    most = max(last, key=lambda link: link.journeys)
    return (
        f"Customers left {flow.sequences:,} times; the last thing they had done was most often “{most.source}” "
        f"({percent(most.journeys, flow.sequences)})."
    )


def goal(types: Sequence[str]) -> str:
    """What the goal is called: "purchase or upgrade"."""
    return " or ".join(name.replace("_", " ") for name in types)


def a(name: str) -> str:
    """ "an order", "a purchase"."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def beside(pending: int, whole: int, state: str) -> str:
    """What a share of the ended ones leaves out, where that is more than one in twenty: it is too high then."""
    return f" ({pending:,} more are {state}, and the quick ones end first)" if pending > 0.05 * whole else ""


def percent(part: int, whole: int) -> str:
    """ "12%", with a decimal below ten."""
    share = 100 * part / whole if whole else 0.0
    return f"{share:.0f}%" if share >= 9.95 or share == 0 else f"{share:.1f}%"


def duration(seconds: float) -> str:
    """ "3 days", "5 hours"."""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size or name == "minute":
            count = max(1, round(seconds / size))
            return f"{count} {name}" + ("s" if count > 1 else "")
    raise AssertionError


def _journeys(count: int) -> str:
    return "1 journey has" if count == 1 else f"{count:,} journeys have"


def named(month: str) -> str:
    """ "August 2025", of "2025-08"."""
    return f"{month_name[int(month[5:])]} {month[:4]}"


def _during(months: list[str]) -> str:
    first, last = named(months[0]), named(months[-1])
    return f"in {first}" if len(months) == 1 else f"from {first} to {last}"
