"""What becomes of a candidate or of a slot, in the words that one decision and a million of them share."""

from features.step_words import on_channel

CHOSEN = "chosen"
WITHHELD = "withheld to measure"
TAKEN = "fills another slot of this decision"
NO_SCORE = "no model can score it and the policy states no fallback"
HELD_OUT = "the customer is in the holdout"
WORTH_LESS = "worth less than silence"
NOT_DRAWN = "another answer was drawn"

GHOST = "silence: the chosen action is withheld to measure its effect"
NOTHING = "silence: no action is offered on this channel"
HOLDOUT = "silence: the customer is held out to measure the total effect"
IN_ARM = "silence: the customer is in an arm of an experiment that sells nothing"
ALL_REFUSED = "silence: every candidate was refused"
SILENCE_PAYS = "silence: it was worth more than any action"
EXPLORED = "silence: drawn to explore"


def made(title: str, channel: str | None) -> str:
    """An action on a channel; in quotes, for a title may end in a question mark.

    >>> made("Time for a refill?", "mobile_app")
    '“Time for a refill?” in the mobile app'
    """
    return f"“{title}” {on_channel(channel)}" if channel else f"“{title}”"


def in_arm(name: str) -> str:
    return f"the customer is in the experiment's arm {name}"


def too_new(ramp: float) -> str:
    """`ramp` is the share of draws that it takes part in."""
    return f"{NOT_DRAWN}; too new to take part in more than {ramp:.0%} of draws"
