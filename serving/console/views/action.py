"""One action: what it offers and to whom, in words; what went out and came back; what is learned; what is left."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.digits import span_decimals
from features.step_words import on_channel
from serving.console import action_words
from serving.console.action_blocks import TOO_FEW, answers, estimate, learned, maturity, months
from serving.console.artefacts import Artefacts, Unusable
from serving.console.blocks import Block, Empty, Link, Page, Section, Sentences, Text, Tile, Tiles, href
from serving.console.look import Look
from serving.console.policy_words import counted, human
from serving.console.views import VIEWS, Ask
from serving.decisions.policy import Action
from serving.engine.volumes import day_of

Report = Mapping[str, Any]
_SCHEMA = next(view.schema for view in VIEWS if view.artefact == "actions")


async def page(look: Look, ask: Ask) -> Page:
    made: Page = await look.aside(_page, look, ask.path["action"])
    return made


def _page(look: Look, name: str) -> Page:
    playbook = look.engine.playbook
    stated = playbook.actions.by_name.get(name)
    report = _report(look)
    row = None if report is None else next((each for each in report["actions"] if each["action"] == name), None)
    if stated is None and row is None:
        text = f"actions.yaml lists no action “{name}”, and history knows of none."
        return Page("Action", f"There is no action “{name}”.", [Empty("No such action", text)])
    treatments = [] if report is None else [each for each in report["treatments"] if each["action"] == name]
    title = action_words.title(stated) if stated is not None else human(name)
    blocks: list[Block] = []
    if stated is not None:
        texts = {each.name: each.text for each in look.engine.vectors.catalogue}
        said = action_words.action(stated, playbook.policy, look.workspace.settings.currency, texts)
        blocks.append(_today(look, stated, report, row, treatments))
        blocks.append(Section("words", "What it is, and who gets it", [Sentences(said)]))
    blocks += _went(report, treatments)
    return Page(
        title=title,
        lead=_lead(title, stated, row, treatments),
        blocks=blocks,
        known_until=None if report is None else report["known_until"],
        created_at=None if report is None else report["created_at"],
        currency=look.workspace.settings.currency,
        source=f"actions.yaml as the service uses it (policy {playbook.version}), and the report on actions",
    )


def _report(look: Look) -> Report | None:
    try:
        return Artefacts().read(look.reports, "actions", _SCHEMA)
    except Unusable:
        return None


def _lead(title: str, stated: Action | None, row: Report | None, treatments: Sequence[Report]) -> str:
    """What is known of it, in one sentence."""
    gone = "" if stated is not None else ", which actions.yaml does not list any more,"
    if not treatments:
        return f"{title}{gone} has not gone out yet, as far as reports know."
    contacts = sum(each["contacts"] for each in treatments)
    where = f"{title}{gone} went out in {counted(contacts, 'contact')}"
    if row is not None and row["learned"] is not None:
        return f"{where}. What it causes: {row['learned']['sentence'].removeprefix(row['action'] + ': ')}"
    known = [each for each in treatments if each["rate"] is not None]
    if not known:
        return f"{where}; too few answers to tell how well it does."
    best = max(known, key=lambda each: float(each["rate"]["value"]))
    rate = best["rate"]
    low, high = 100 * rate["low"], 100 * rate["high"]
    digits = span_decimals(low, high, (high - low) / 2)
    span = f"{low:.{digits}f}% to {high:.{digits}f}%"
    return f"{where}, answered most {on_channel(best['channel'])} (likely {span}); what it causes is not learned yet."


def _today(
    look: Look, stated: Action, report: Report | None, row: Report | None, treatments: Sequence[Report]
) -> Tiles:
    items = []
    if stated.volume is not None:
        day = day_of(look.engine.playbook, look.engine.clock.now())
        used = look.engine.store.leased(stated.name, day)
        items.append(Tile("Left today", max(0, stated.volume - used), "count", f"of {stated.volume:,} a day"))
    if report is not None and row is not None:
        items.append(Tile("Maturity", maturity(row, report["maturity"]).words, "text"))
        verdict, effect = learned(row, report["unit"])
        money = report["unit"] == "money"
        items.append(Tile("What it causes", effect if effect is not None else verdict or "not learned yet",
                          "signed_money" if money else "points",
                          "percentage points" if effect is not None and not money else None))  # fmt: skip
    for each in treatments[:3]:
        value = estimate(each["rate"]) or TOO_FEW.words
        items.append(Tile(f"Answered {on_channel(each['channel'])}", value, "percent"))
    items.append(Tile("Worth, if accepted", stated.value, "money"))
    return Tiles(items)


def _went(report: Report | None, treatments: Sequence[Report]) -> list[Block]:
    if report is None:
        text = "Volumes, answers and effects stand in a report that nobody has made yet, or that cannot be read."
        return [Empty("No report yet", text, "tactful report actions")]
    blocks: list[Block] = []
    chart = months(treatments)
    if chart is not None:
        blocks.append(chart)
    blocks.append(answers(treatments))
    return [Section("went", "How it went", blocks), Section("more", "More", [_more()])]


def _more() -> Block:
    return Text(["Effects by segment and month stand under ", Link("Uplift", href("uplift")), "."])
