"""What happened, as events in words: interactions of any channel, and decisions of ours."""

from collections.abc import Mapping, Sequence

from features import clock
from serving.console.blocks import Cell, Event, Fact, Tone, Verdict, href
from serving.console.past import Row
from serving.console.policy_words import human
from serving.decisions import phrases

#: Types that have words of their own; any other type is said as it is named.
TYPES: Mapping[str, str] = {
    "page_view": "Looked at a page",
    "product_view": "Looked at a product",
    "add_to_cart": "Put something into the basket",
    "case_opened": "A service case was opened",
    "case_closed": "A service case was closed",
    "consent_given": "Said yes to being contacted",
    "opted_out": "Said no to being contacted",
    "contact_less_often": "Asked to be contacted less often",
    "contact_as_usual": "Asked to be contacted as usual",
    "contact_paused": "Asked to be left alone for a while",
    "no_response": "No response until the end of the window",
    "complained": "Complained about a contact",
}
#: Outbound types that say that something was sent.
SENT = frozenset({"contact", "sent"})
TONES: Mapping[str, Tone] = {
    "complaint": "bad",
    "case_opened": "bad",
    "complained": "bad",
    "opted_out": "bad",
    "rejected": "bad",
    "purchase": "good",
    "accepted": "good",
    "clicked": "good",
    "consent_given": "good",
}
STAGES: Mapping[str, Verdict] = {
    "chosen": Verdict("chosen", "good"),
    "withheld": Verdict("withheld, to measure", "info"),
    "eligible": Verdict("not eligible", "muted"),
    "applicable": Verdict("does not fit now", "muted"),
    "suitable": Verdict("not in their interest", "muted"),
    "guard": Verdict("stopped by the contact policy", "warn"),
    "score": Verdict("no model can judge it", "warn"),
    "arbitration": Verdict("another answer was drawn", "muted"),
    "holdout": Verdict("held out, to measure", "info"),
    "experiment": Verdict("kept out by an experiment", "info"),
    "taken": Verdict("another slot has it", "muted"),
}
STATES: Mapping[str, Verdict] = {
    "reserved": Verdict("reserved", "info"),
    "claimed": Verdict("claimed, not reported yet", "info"),
    "sent": Verdict("sent", "good"),
    "failed": Verdict("failed", "bad"),
    "expired": Verdict("expired, never sent", "warn"),
    "ghost": Verdict("withheld, to measure", "info"),
}


def events(
    rows: Sequence[Row], decided: Sequence[Row], contacts: Mapping[str, str], titles: Mapping[str, str], who: str
) -> list[Event]:
    """Newest first; `titles` of actions by name, `contacts` states by decision, `who` the customer that links name."""
    found = [(row["at"], 1, _interaction(row, titles)) for row in rows]
    found += [(row["at"], 0, _decision(row, contacts, titles, who)) for row in decided]
    return [event for _, _, event in sorted(found, key=lambda one: (-one[0], one[1]))]


def answer(row: Row, titles: Mapping[str, str]) -> str:
    """What a decision came to."""
    action, ghost = row["action"], row["ghost"]
    if action is not None:
        return phrases.made(titles.get(action, human(action)), row["treatment_channel"])
    if ghost is not None:
        return f"{phrases.made(titles.get(ghost, human(ghost)), row['ghost_channel'])}, withheld to measure its effect"
    return "Silence"


def decision_link(who: str, row: Row) -> str:
    """Where the fate of its candidates is shown."""
    return href("customers", who, decision=row["decision_id"], at=row["at"]) + "#decision"


def _interaction(row: Row, titles: Mapping[str, str]) -> Event:
    type_, action = row["type"], row["action"]
    title = TYPES.get(type_, human(type_).capitalize())
    if row["direction"] == "outbound" and type_ in SENT:
        title = f"We sent: {titles.get(action, human(action))}" if action else "We contacted them"
    facts: list[tuple[str, Cell, str]] = [
        ("About", row["topic"] and human(row["topic"]), "text"),
        ("Value", row["value"], "money"),
        ("Satisfaction", row["satisfaction"], "percent"),
        ("Case", row["case_id"], "text"),
        ("Action", titles.get(action, human(action)) if action and type_ not in SENT else None, "text"),
    ]
    doubts = []
    if not row.get("identified", True):
        doubts.append("not signed in")
    if row.get("provenance") == "inferred":
        doubts.append("inferred, not told or seen")
    return Event(
        at=clock.isoformat(row["at"]),
        title=title,
        channel=human(row["channel"]),
        text=", ".join(doubts).capitalize() or None,
        tone=TONES.get(type_),
        facts=[Fact(term, value, kind) for term, value, kind in facts if value is not None],  # type: ignore[arg-type]
    )


def _decision(row: Row, contacts: Mapping[str, str], titles: Mapping[str, str], who: str) -> Event:
    made = row["action"] is not None
    state = contacts.get(row["decision_id"])
    facts = [Fact("Contact", STATES.get(state, Verdict(state)), "verdict")] if made and state is not None else []
    channel = row["treatment_channel"] or row["ghost_channel"] or row["channel"]
    return Event(
        at=clock.isoformat(row["at"]),
        title=f"Decided: {answer(row, titles)}",
        channel=channel and human(channel),
        text=None if made or row["ghost"] is not None else row["reason"],
        tone="info" if made else "muted",
        facts=facts,
        href=decision_link(who, row),
    )
