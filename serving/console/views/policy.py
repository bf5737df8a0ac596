"""The contact policy in words: what holds now, which versions there were, and what each of them changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from features import clock
from serving import policy_versions
from serving.console import action_words, policy_changes, policy_words
from serving.console.artefacts import Artefacts, Unusable
from serving.console.blocks import (
    Alarm,
    Block,
    Cell,
    Code,
    Column,
    Details,
    Field,
    Finding,
    Form,
    Link,
    Page,
    Section,
    Sentences,
    Table,
    Text,
    Verdict,
    href,
)
from serving.console.look import Look
from serving.console.policy_words import counted, share
from serving.console.views import VIEWS, Ask
from serving.decisions.policy import Playbook
from serving.policy_versions import Used

#: Versions that are listed, the newest.
LISTED = 50
GONE, NEW = Verdict("no longer", "bad"), Verdict("now", "good")
_SCHEMA = next(view.schema for view in VIEWS if view.artefact == "actions")


async def page(look: Look, ask: Ask) -> Page:
    made: Page = await look.aside(_page, look, ask)
    return made


def _page(look: Look, ask: Ask) -> Page:
    engine, workspace = look.engine, look.workspace
    used = policy_versions.used(workspace)
    wanted = ask.query.get("version") or engine.playbook.version
    current = wanted == engine.playbook.version
    shown = engine.playbook if current else policy_versions.playbook(workspace, wanted)
    blocks: list[Block] = []
    if shown is None:
        text = (
            f"No files of version {wanted} that could be read today are kept here. A version that decided before "
            "versions were kept, or elsewhere, has none."
        )
        blocks.append(Text(text))
    else:
        blocks += _words(shown, workspace.settings.currency)
    blocks += [_changes(look, used, wanted, ask), _versions(look, used)]
    problem = engine.policy_problem
    alarm = None if problem is None else Alarm("The files as they stand cannot be used", [problem])
    return Page(
        title="Policy" if current else f"Policy, version {wanted}",
        lead=_lead(shown, wanted, current, used),
        blocks=blocks,
        alarm=alarm,
        source="contact_policy.yaml and actions.yaml as the service uses them",
    )


def _lead(shown: Playbook | None, version: str, current: bool, used: Sequence[Used]) -> str:
    """What binds most, in one sentence."""
    if shown is None:
        known = version in {each.version for each in used}
        return f"Version {version} {'was in use, but what it said is not known' if known else 'is not known here'}."
    stated = shown.policy
    since = next((each.now for each in reversed(used) if each.version == version), None)
    when = "" if since is None else f" since {clock.isoformat(since)[:10]}"
    total = next((cap for cap in stated.caps if cap.scope == "total"), None)
    if total is not None:
        most = policy_words.cap(total).rstrip(".")
        most = most[:1].lower() + most[1:]
    else:
        most = f"{counted(len(stated.caps), 'cap')}, none of them over everything" if stated.caps else "no caps"
    held = f"{share(stated.holdout.share)} of customers are never sold to"
    holds = (
        f"In use{when}"
        if current
        else f"Not in use now, came into use{when.removeprefix(' since') and when.replace('since', 'on')}"
    )
    return f"{holds}: {most}; {counted(len(shown.actions.actions), 'action')}; {held}, to measure."


def _words(shown: Playbook, currency: str) -> list[Block]:
    topics = policy_words.policy(shown.policy, currency)
    found: list[Block] = [
        Section(f"topic-{k}", topic.name, [Sentences(topic.sentences)]) for k, topic in enumerate(topics)
    ]
    details: list[Block] = []
    for action in shown.actions.actions:
        said = action_words.action(action, shown.policy, currency)
        more = Text([Link("How it went", href("actions", action.name))])
        details.append(Details(action_words.title(action), [Sentences(said), more]))
    empty: list[Block] = [Text("actions.yaml lists no action yet.")]
    found.append(Section("actions", f"What we offer: {counted(len(details), 'action')}", details or empty))
    return found


def _changes(look: Look, used: Sequence[Used], wanted: str, ask: Ask) -> Section:
    """Of the version asked for against another one: that before it, unless one was chosen."""
    versions = list(dict.fromkeys(each.version for each in reversed(used)))
    place = max((i for i, each in enumerate(used) if each.version == wanted), default=0)
    before = ask.query.get("against") or (used[place - 1].version if place else "")
    options = [(version, f"{version} ({_since(used, version)})") for version in versions]
    form = Form(
        [
            Field("version", "Version", "select", wanted, options),
            Field("against", "Compared with", "select", before, [("", "the one before"), *options]),
        ],
        "Compare",
        label="Which versions to compare",
    )
    blocks: list[Block] = [form] if len(versions) > 1 else []
    blocks += _compared(look, before, wanted) if before else [Text("This is the first version that was kept.")]
    title = f"What changed from {before} to {wanted}" if before else "What changed"
    return Section("changes", title, blocks)


def _compared(look: Look, before: str, after: str) -> list[Block]:
    workspace = look.workspace
    old, new = (policy_versions.playbook(workspace, version) for version in (before, after))
    if old is None or new is None:
        lacking = before if old is None else after
        return [Text(f"The files of version {lacking} were not kept, or are no longer understood.")]
    found = policy_changes.changes(old, new, workspace.settings.currency)
    blocks: list[Block] = []
    for change in found:
        said = [Finding(text, GONE) for text in change.gone] + [Finding(text, NEW) for text in change.new]
        blocks += [Text(f"{change.topic}:"), Sentences(said)]
    if not found:
        blocks.append(Text("Nothing that is put into words changed."))
    diffs = policy_changes.lines(policy_versions.texts(workspace, before), policy_versions.texts(workspace, after))
    blocks += [Details(f"{name}, line by line", [Code(diff, "diff")]) for name, diff in diffs.items()]
    return blocks


def _since(used: Sequence[Used], version: str) -> str:
    return clock.isoformat(next(each.now for each in reversed(used) if each.version == version))[:10]


def _versions(look: Look, used: Sequence[Used]) -> Section:
    """Each time that another version came into use, and how much versions decided, as far as the report knows."""
    told = _decided(look)
    rows: list[Sequence[Cell]] = []
    for each in list(reversed(used))[:LISTED]:
        row = told.pop(each.version, {})
        rows.append(_row(each.version, clock.isoformat(each.now), row))
    rows += [_row(version, None, row) for version, row in list(told.items())[:LISTED]]
    columns = (
        Column("Version"),
        Column("In use since", "instant"),
        Column("Decisions", "count"),
        Column("Came to silence", "percent"),
        Column("First decided", "instant"),
        Column("Last decided", "instant"),
    )
    note = "Counts are from the last report on actions; versions without a date decided before they were kept."
    table = Table("versions", "Versions", columns, rows, note, "No version was kept yet: none has decided.")
    return Section("history", "Versions of the policy", [table])


def _row(version: str, since: str | None, told: Mapping[str, Any]) -> Sequence[Cell]:
    decisions = told.get("decisions")
    silent = told["silent"] / decisions if decisions else None
    link = Link(version, href("policy", version=version))
    return link, since, decisions, silent, told.get("first"), told.get("last")


def _decided(look: Look) -> dict[str, Mapping[str, Any]]:
    try:
        report = Artefacts().read(look.reports, "actions", _SCHEMA)
    except Unusable:
        return {}
    return {each["version"]: each for each in report["policies"]}
