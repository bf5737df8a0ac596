"""One customer: what they did and what we did, on every channel; what is known, foretold, decided and still allowed."""

import shlex
from collections.abc import Mapping, Sequence

from features import clock
from serving.console import decided, timeline
from serving.console.action_words import title
from serving.console.blocks import (
    Block,
    Cell,
    Column,
    Details,
    Empty,
    Event,
    Fact,
    Facts,
    Field,
    Form,
    Notes,
    Page,
    Pager,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
    Timeline,
    Verdict,
    href,
)
from serving.console.left import MOST
from serving.console.look import ONE, Look
from serving.console.person import KINDS, Person, Wanted, decision, person
from serving.console.policy_words import counted, human, listed
from serving.console.reasons import Reasons, side
from serving.console.refusals import refusal
from serving.console.views import VIEWS, Ask
from serving.console.views.customers import LONGEST, search
from serving.decisions.profile import EVERYWHERE

WORDS = {"all": "Everything", "theirs": "What they did", "ours": "What was sent", "decisions": "Decisions"}
#: An instant beyond every log.
LATEST = clock.parse_instant("9999-01-01")
#: Decisions and treatments that stand in their tables.
SHOWN = 15
#: A side that moves a probability by less is said not to matter.
NO_MATTER = 0.0005


async def page(look: Look, ask: Ask) -> Page:
    """Logs the look before anything is read for showing."""
    customer = ask.path["customer"]
    if len(customer) > LONGEST:  # nobody's id, and none to keep as looked at
        return _stranger(customer[:LONGEST])
    await look.looked(customer)
    made: Page = await look.aside(_page, look, ask, customer)
    return made


def _page(look: Look, ask: Ask, customer: str) -> Page:
    if look.engine.store.read(customer).customer.restricted:
        return _restricted(customer)
    found = person(look, customer, _wanted(ask))
    one = _decision(look, found, ask)
    name = found.customer_id
    if not found.known:
        return _stranger(name)
    titles = {each.name: title(each) for each in look.engine.playbook.actions.actions}
    blocks: list[Block] = [_tiles(found)]
    if one is not None:
        blocks.append(one)
    blocks += [
        _left(found),
        _wishes(found),
        _timeline(look, ask, found, titles),
        *_scores(look, found, titles),
        _features(look, found),
        _about(found),
    ]
    return Page(
        title=f"Customer {name}",
        lead=_lead(found),
        blocks=blocks,
        known_until=clock.isoformat(found.now),
        population="one person" if len(found.ids) == 1 else f"one person known under {len(found.ids)} ids",
        currency=look.workspace.settings.currency,
        source="the live store and history, this moment",
    )


def _stranger(name: str) -> Page:
    text = "No interaction, decision or contact is kept under this id: it was never seen, or was erased."
    return Page(
        title=f"Customer {name}",
        lead="Nobody is known under this id.",
        blocks=[Empty("Nothing is known", text), search()],
    )


def _restricted(name: str) -> Page:
    """Data that are only to be stored are not looked at either (GDPR, article 18(2): with the exception of storage, and
    consulting is processing, article 4(2)). What is kept they may have, and what decides over it is not a page."""
    what = "It is kept, but neither used nor shown; nothing is sent to them, sold to them or foretold of them."
    how = "They have a right to a copy all the same; and who may take the restriction back does so with --off:"
    who = shlex.quote(name)
    empty = Empty("Kept, not shown", how, f"tactful privacy export {who}\ntactful privacy restrict {who} --off")
    lead = f"Processing of the data of {name} is restricted, at their wish or until a dispute is settled."
    return Page(f"Customer {name}", lead, [Text(what), empty, search()], source="the live store, this moment")


def _lead(found: Person) -> str:
    """One sentence: when they were last here, whether something is open, whether they may leave, what we may send."""
    said = []
    newest = found.read.customer.seen_to
    said.append(f"last heard of on {clock.isoformat(newest)[:10]}" if newest else "not heard of yet")
    if found.agent["open"]:
        said.append(f"with {counted(len(found.agent['open']), 'open matter')}: help first")
    if found.churn is not None:
        odds, typical = found.churn.probability, found.churn.typical
        than = "more than" if odds > 1.25 * typical else "less than" if odds < 0.8 * typical else "about as much as"
        said.append(f"{_percent(odds)} likely to leave ({than} others, {_percent(typical)})")
    if found.arms.silent:
        said.append("and never sold to, to measure")
    else:
        said.append(_may(found))
    return f"{found.customer_id}: {', '.join(said)}."


def _may(found: Person) -> str:
    """What may still be sent, the most first; channels that are alike are counted, not listed."""
    numbers = {each.channel: each.number for each in found.left if each.number}
    if not numbers:
        return "who may not be contacted this week"
    if len(numbers) > 2 and len(set(numbers.values())) == 1:
        number = next(iter(numbers.values()))
        return f"who may get {_number(number)} more on any of {len(numbers)} channels in the next 7 days"
    most = sorted(numbers, key=lambda channel: (-numbers[channel], channel))[:3]
    told = [f"{_number(numbers[channel])} by {human(channel)}" for channel in most]
    return f"who may get {listed(told, 'or')} in the next 7 days"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%" if value >= 0.01 else "under 1%"


def _number(value: int) -> str:
    return f"{MOST} or more" if value >= MOST else str(value)


def _tiles(found: Person) -> Tiles:
    items = []
    if found.churn is not None:
        typical = f"others: {_percent(found.churn.typical)}"
        items.append(Tile("Probability of leaving", found.churn.probability, "percent", typical))
    if found.offer is not None:
        best, why = found.offer
        items.append(
            Tile("Likeliest response", why.probability, "percent", f"{human(best.action)} on {human(best.channel)}")
        )
    newest = found.read.customer.seen_to
    items.append(Tile("Last heard of", clock.isoformat(newest)[:10] if newest else None, "day"))
    open_ = len(found.agent["open"])
    items.append(Tile("Open complaints and cases", open_, "count", tone="bad" if open_ else None))
    arm = "held out" if found.arms.holdout == "holdout" else "treated"
    experiment = found.arms.experiment
    level = found.arms.cap_level
    detail = f"experiment {experiment.name}" if experiment is not None else f"caps times {level:g}" if level else None
    items.append(Tile("Arm", arm, "text", detail))
    return Tiles(items)


def _left(found: Person) -> Section:
    rows: list[Sequence[Cell]] = []
    for each in found.left:
        why = "; ".join(refusal(trip.rule, trip.text) for trip in each.why) or None
        if found.arms.silent:
            why = "in an arm that nothing is sold to, to measure"
        number: Cell = _number(each.number) if each.number >= MOST else each.number
        first = None if each.first_at is None else clock.isoformat(each.first_at)
        rows.append((human(each.channel), number, first, why))
    columns = (
        Column("Channel"),
        Column("Contacts left", "count"),
        Column("The first might go", "instant"),
        Column("What stands in the way now"),
    )
    note = (
        "Counted by the guard that decides: it is asked for the first moment it would let any selling action through, "
        "one is put there in thought, and it is asked again. Each channel by itself: what goes out on one takes from "
        "the others. Whether an action fits the customer is not asked here."
    )
    table = Table(
        "left", "Contacts left in the next 7 days", columns, rows, note, "No action is offered on any channel."
    )
    return Section("contacts-left", "How much more may we contact them?", [table])


def _wishes(found: Person) -> Section:
    profile = found.read.customer.profile
    rows: list[Sequence[Cell]] = []
    for key in sorted(profile.consent):
        channel, _, purpose = key.partition("/")
        said = profile.said(channel, purpose or None)
        if said is not None:
            words = Verdict("yes", "good") if said.granted else Verdict("no", "bad")
            rows.append((_all(channel), _all(purpose), words, clock.isoformat(said.at)))
    columns = (Column("Channel"), Column("Purpose"), Column("Said", "verdict"), Column("Since", "instant"))
    empty = "They said neither yes nor no to being contacted; the policy says what that means."
    blocks: list[Block] = [Table("consent", "Consent", columns, rows, empty=empty)]
    facts = []
    if profile.less_often is not None and not profile.less_often.granted:
        facts.append(Fact("Asked for", "fewer contacts"))
    if profile.paused is not None and profile.paused.until > found.now:
        facts.append(Fact("To be left alone until", clock.isoformat(profile.paused.until), "instant"))
    facts += [
        Fact(
            each["kind"].capitalize(),
            f"open since {each['since'][:10]}" + (f", about {each['topic']}" if each["topic"] else ""),
        )
        for each in found.agent["open"]
    ]
    if facts:
        blocks.append(Facts(facts))
    return Section("wishes", "What they asked of us", blocks)


def _all(name: str) -> str:
    return "all" if name in ("", EVERYWHERE) else human(name)


def _scores(look: Look, found: Person, titles: Mapping[str, str]) -> list[Block]:
    blocks: list[Block] = []
    if found.churn is not None:
        blocks.append(_why(look, "why-churn", "Why they might leave, or stay", found.churn, found))
    if found.offer is not None:
        best, why = found.offer
        of = f"{titles.get(best.action, best.action)} on {human(best.channel)}"
        blocks.append(_why(look, "why-offer", f"Why they might respond to: {of}", why, found))
    rows = [
        (titles.get(each.action, each.action), human(each.channel), each.propensity, each.uplift, each.harm)
        for each in found.scored
    ]
    columns = (
        Column("Action"),
        Column("Channel"),
        Column("Responds", "percent", "probability"),
        Column("Caused by it", "points", "learned; a dash: the policy's prior stands"),
        Column("One more contact costs", "money", "learned; a dash: the policy's prior stands"),
    )
    table = Table("scores", "Every action, as the models see it", columns, rows, empty="No action is stated.")
    blocks.append(Details("Every action, as the models see it", [table]))
    return [Section("foretold", "What is foretold, and why", blocks)]


def _why(look: Look, name: str, heading: str, why: Reasons, found: Person) -> Table:
    texts = {each.name: (each.text, each.unit) for each in look.engine.vectors.catalogue}
    rows: list[Sequence[Cell]] = []
    for each in why.sides:
        gap = why.probability - each.without
        text, unit = texts[each.feature]
        value = found.features.get(each.feature)
        known = _value(value, unit, look.workspace.settings.currency)
        words = _does(gap)
        rows.append((each.side, words, gap, each.without, f"{text}: {known}"))
    columns = (
        Column("Side of the customer"),
        Column("What it does", "verdict"),
        Column("By", "points"),
        Column("Probability without", "percent", "if they were like other customers here"),
        Column("Most of it by"),
    )
    note = (
        f"The probability is {_percent(why.probability)}, that of others {_percent(why.typical)}. Each side is "
        "replaced by that of other customers and the model asked again; sides may work together, so gaps need not add "
        "up. It is about the model, not about what would happen."
    )
    return Table(name, heading, columns, rows, note)


def _does(gap: float) -> Verdict:
    """Neither good nor bad by itself: that depends on what is foretold."""
    if abs(gap) < NO_MATTER:
        return Verdict("no matter")
    return Verdict("raises it" if gap > 0 else "lowers it", "info")


def _value(value: float | str | None, unit: str, currency: str) -> str:
    """A feature's value as a sentence says it."""
    if not isinstance(value, float):
        return "not known" if value is None else human(value)
    if unit in ("share", "probability"):
        return f"{100 * value:.3g}%"
    return f"{value:,.2f} {currency}" if unit == "money" else f"{value:,.4g} {unit}"


def _timeline(look: Look, ask: Ask, found: Person, titles: Mapping[str, str]) -> Section:
    wanted = _wanted(ask)
    events = timeline.events(found.rows, found.decided, found.contacts, titles, found.customer_id)
    channels = [("", "All channels"), *((name, human(name)) for name in look.workspace.settings.channels)]
    form = Form(
        [
            Field("kind", "Show", "select", wanted.kind, [(kind, WORDS[kind]) for kind in KINDS]),
            Field("channel", "Channel", "select", wanted.channel, channels),
        ],
        label="What the timeline shows",
    )
    asked = {"kind": ask.query.get("kind"), "channel": ask.query.get("channel")}
    home = href("customers", found.customer_id)
    older = (
        None if found.older is None else href("customers", found.customer_id, **asked, before=found.older) + "#timeline"
    )
    newer = None if wanted.before == LATEST else home + (href(**asked)[1:]) + "#timeline"
    shown = counted(len(events), "event")
    note = "Sensitive topics are never shown. Decisions for silence stand under “Decisions”."
    return Section(
        "timeline",
        "What happened",
        [
            form,
            Timeline(events, "Nothing like that is known."),
            Pager(newer, older, shown),
            Text(note, quiet=True),
            Details("The same as a table", [_listed(events)]),
        ],
    )


def _listed(events: Sequence[Event]) -> Table:
    columns = (Column("At", "instant"), Column("Channel"), Column("What"), Column("More"))
    rows = [(each.at, each.channel, each.title, each.text) for each in events]
    return Table("events", "Events", columns, rows, empty="Nothing like that is known.")


def _features(look: Look, found: Person) -> Section:
    groups: dict[str, list[Sequence[Cell]]] = {}
    for each in look.engine.vectors.catalogue:
        value = found.features[each.name]
        shown: Cell = None if value is None else f"{value:,.6g}" if isinstance(value, float) else str(value)
        groups.setdefault(side(each), []).append((each.text, shown, each.unit, each.null, each.name))
    columns = (Column("What"), Column("Value"), Column("Unit"), Column("A dash means"), Column("Name"))
    blocks = [
        Details(
            f"{name.capitalize()} ({counted(len(rows), 'feature')})",
            [Table(f"features-{k}", name.capitalize(), columns, rows)],
        )
        for k, (name, rows) in enumerate(groups.items())
    ]
    lead = "As the models see them this moment; a dash is not known, never zero."
    return Section("features", "What we know of them", blocks, lead)


def _about(found: Person) -> Section:
    attributes = [(human(name), str(value)) for name, value in found.attributes.items()]
    blocks: list[Block] = [
        Table("attributes", "What a CRM told us", (Column("Attribute"), Column("Value")), attributes,
              empty="No attributes are known."),
        Table("ids", "Ids of this person", (Column("Id"),), [(each,) for each in found.ids]),
        Table("looks", "Who looked at this customer", (Column("Key"), Column("At", "instant"), Column("Where")),
              [(each["who"], clock.isoformat(each["at"]), _where(each["page"])) for each in found.looks[:SHOWN]]),
        Notes(["Looks are kept with the customer, told by `tactful privacy export`, and deleted at an erasure."]),
    ]  # fmt: skip
    return Section("about", "Who they are", blocks)


def _where(path: str) -> str:
    """The page on which somebody was looked at; one that is no more goes by its address."""
    titles = {view.path: view.title for view in VIEWS}
    return "this page" if path == ONE else f"in a list: {titles.get(path, path)}"


def _wanted(ask: Ask) -> Wanted:
    """What was asked for; nonsense asks for everything."""
    kind = ask.query.get("kind", "all")
    return Wanted(
        _instant(ask.query.get("before")) or LATEST, ask.query.get("channel", ""), kind if kind in KINDS else "all"
    )


def _instant(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 18 else None


def _decision(look: Look, found: Person, ask: Ask) -> Section | None:
    name, at = ask.query.get("decision"), _instant(ask.query.get("at"))
    if not name or at is None:
        return None
    logged = decision(look, found.ids, name, at)
    if logged is None:
        return Section(
            "decision", "One decision", [Text("This decision is no longer kept, or is about somebody else.")]
        )
    titles = {each.name: title(each) for each in look.engine.playbook.actions.actions}
    return decided.section(logged, titles)
