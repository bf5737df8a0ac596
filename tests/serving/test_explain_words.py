"""Words: why a customer sees something, and what someone who talks to them should know."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, contact, flat, playbook, profile_of, request

from features import clock
from features.clock import DAY, HOUR
from features.scaffold import init_workspace, templates
from features.workspace import WorkspaceError
from serving.decisions import agent, language
from serving.decisions.customer import Customer, Sighting
from serving.decisions.decide import decide
from serving.decisions.explanation import says
from serving.decisions.language import ENGLISH, Language
from serving.decisions.policy import Actions, Playbook
from serving.decisions.profile import Fact, Told

MAY = clock.parse_instant("2026-05-20T12:00:00Z")


class Seen:
    """Sightings from a list."""

    def __init__(self, *rows: Sighting) -> None:
        self.rows = rows

    def of(self, type, topic, channel):
        rows = [
            row
            for row in self.rows
            if type in (None, row.type) and topic in (None, row.topic) and channel in (None, row.channel)
        ]
        return sorted(rows, key=lambda row: -row.at)

    def topics(self):
        newest = {}
        for row in self.of(None, None, None):
            if row.topic is not None:
                newest.setdefault(row.channel, row)
        return list(newest.values())


def saw(days: float = 10, type: str = "purchase", topic: str | None = "books", **more: object) -> Sighting:
    given = {"channel": "web", "identified": True, "provenance": "observed"} | more
    return Sighting(MAY - int(days * DAY), type, topic, **given)


def book(*reveals: dict[str, object], **more: object) -> Playbook:
    listed = {"name": "x", "issue": "i", "group": "g", "channels": ["email"], "value": 9, "reveals": list(reveals)}
    return Playbook(Actions.model_validate({"actions": [listed | more]}), playbook().policy)


def told(book: Playbook, *rows: Sighting, customer: Customer | None = None) -> str:
    known = replace(customer or Customer("C1"), sightings=Seen(*rows))
    return says(book.actions.actions[0], known, book, MAY)


STOP = ENGLISH.stop
GENERIC = f"You see this because you are a customer of ours. {STOP}"
BOUGHT = {"type": "purchase", "topic": "books"}


@pytest.mark.parametrize(
    ("signal", "row", "sentence"),
    [
        (BOUGHT, saw(), f"You see this because you bought books with us in May. {STOP}"),
        ({"type": "purchase"}, saw(40), f"You see this because you bought books with us in April. {STOP}"),
        ({"type": "purchase"}, saw(topic=None), f"You see this because you bought from us in May. {STOP}"),
        (
            {"type": "add_to_cart"},
            saw(type="add_to_cart", topic=None),
            f"You see this because you put something into your basket in May. {STOP}",
        ),
        ({"channel": "web"}, saw(), f"You see this because you bought from us in May. {STOP}"),
        (
            {"type": "page_view"},
            saw(type="page_view", topic="garden_tools"),
            f"You see this because you looked at garden tools on our website in May. {STOP}",
        ),
        (
            {"type": "survey", "topic": "books"},
            saw(type="survey", provenance="declared"),
            f"You see this because you told us about books in May. {STOP}",
        ),
        (
            {"type": "workshop"},
            saw(type="workshop"),
            f"You see this because you were in touch with us about books in May. {STOP}",
        ),
        (
            {"type": "workshop"},
            saw(type="workshop", topic=None),
            f"You see this because you are a customer of ours. {STOP}",
        ),
        (BOUGHT | {"text": "You like to read."}, saw(), "You like to read."),
    ],
)
def test_the_sentence_is_made_of_the_signal_that_is_shown(signal, row, sentence):
    assert told(book(signal), row) == sentence


def test_an_action_that_shows_nothing_says_its_own_words_or_the_generic_ones():
    assert told(book(), saw()) == GENERIC
    assert told(book(says="Our summer sale is on."), saw()) == "Our summer sale is on."


@given(
    rows=st.lists(
        st.builds(
            saw,
            days=st.floats(0, 3),
            topic=st.sampled_from(["pregnancy_test", "books"]),
            identified=st.booleans(),
            provenance=st.sampled_from(["declared", "observed", "inferred"]),
        ),
        max_size=5,
    )
)
def test_what_the_guard_refuses_as_a_signal_is_never_put_into_words(rows):
    sentence = told(book({"type": "purchase"}), *rows)
    may = {
        row.topic.replace("_", " ")
        for row in rows
        if row.at <= MAY - DAY and row.identified and row.provenance != "inferred"
    }
    for topic in ("pregnancy test", "books"):
        assert (topic in sentence) <= (topic in may)


def test_the_customers_language_and_zone_are_theirs():
    german = Language(
        because={"purchase": "Sie sehen dies, weil Sie im {month} {topic} gekauft haben. {stop}"},
        stop="Ein Wort genuegt.",
        months=["Januar", "Februar", "Maerz", "April", "Mai", "Juni"] + ["-"] * 6,
        topics={"books": "Buecher"},
    )
    known = replace(book(BOUGHT), languages={"en": ENGLISH, "de": german})
    customer = Customer("C1")
    customer.profile.facts["language"] = [Fact(0, 0, "de-AT")]
    customer.profile.facts["time_zone"] = [Fact(0, 0, "Pacific/Auckland")]
    late = saw((MAY - clock.parse_instant("2026-04-30T23:30:00Z")) / DAY)  # May already, where they live
    sentence = told(known, late, customer=customer)
    assert sentence == "Sie sehen dies, weil Sie im Mai Buecher gekauft haben. Ein Wort genuegt."
    customer.profile.facts["language"] = [Fact(0, 0, "xx")]
    assert told(known, late, customer=customer).startswith("You see this")


def test_a_decision_says_why_only_of_what_is_shown():
    seen = replace(Customer("C1"), sightings=Seen(saw()))
    chosen = decide(request(), seen, flat(), book(BOUGHT), MAY, 0.5)
    assert chosen.says == f"You see this because you bought books with us in May. {STOP}"
    assert chosen.as_dict()["says"] == chosen.says
    silent = Playbook(book(BOUGHT).actions, playbook(withholding={"share": 1.0}).policy)
    assert decide(request(), seen, flat(), silent, MAY, 0.5).says is None


def test_the_shipped_file_says_what_is_built_in_and_more_files_are_more_languages(tmp_path):
    workspace = init_workspace(tmp_path / "shop", templates("features", "serving"))
    assert (workspace.folder / "language" / "en.yaml").is_file()
    assert language.load(workspace) == {"en": ENGLISH}
    (workspace.folder / "language" / "de.yaml").write_text('generic: "Sie sind unser Kunde. {stop}"')
    found = language.load(workspace)
    assert language.of(found, "de-CH") is found["de"]
    assert language.of(found, None) is found["en"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('generic: "{customer_id} {stop}"', "generic"),
        ('generic: "{stop.__class__}"', "generic"),
        ('generic: "{"', "is not a text with places"),
        ('because: {purchase: "{0}"}', "because"),
        ("months: [only]", "months"),
    ],
)
def test_a_sentence_knows_its_places_only(tmp_path, text, why):
    workspace = init_workspace(tmp_path / "shop", templates("features", "serving"))
    (workspace.folder / "language" / "en.yaml").write_text(text)
    with pytest.raises(WorkspaceError, match=r"language/en\.yaml") as caught:
        language.load(workspace)
    assert why in str(caught.value)


def test_the_agent_is_told_what_is_open_and_why_they_are_probably_here():
    rows = [
        Told(1, MAY - 2 * DAY, "phone", "inbound", "complaint", "K7"),
        Told(2, MAY - 9 * DAY, "web", "inbound", "case_opened", "K1"),
        Told(3, MAY - 8 * DAY, "web", "inbound", "case_closed", "K1"),
        Told(4, MAY - 50 * DAY, "email", "inbound", "complained"),
    ]
    seen = Seen(saw(2, "complaint", "delivery", channel="phone"), saw(5, "message", "billing", channel="chat"), saw(30))
    customer = replace(Customer("C1"), profile=profile_of(rows), sightings=seen)
    view = agent.view(customer, playbook().policy, MAY)
    since = clock.isoformat(MAY - 2 * DAY)
    assert view == {
        "open": [{"kind": "complaint", "case_id": "K7", "since": since, "topic": "delivery"}],
        "complained_about_contact": clock.isoformat(MAY - 50 * DAY),
        "last_topics": {
            "phone": {"topic": "delivery", "at": since},
            "chat": {"topic": "billing", "at": clock.isoformat(MAY - 5 * DAY)},
            "web": {"topic": "books", "at": clock.isoformat(MAY - 30 * DAY)},
        },
        "probably_about": {"topic": "delivery", "why": f"a complaint is open since {since[:10]}"},
        "help_first": True,
    }


def test_without_anything_open_the_newest_topic_or_our_newest_contact_is_likely():
    plain = playbook().policy
    recent = replace(Customer("C1"), sightings=Seen(saw(3, "call", "billing", channel="phone"), saw(1, topic=None)))
    assert agent.view(recent, plain, MAY)["probably_about"] == {
        "topic": "billing",
        "why": "call on phone on 2026-05-17",
    }
    old = replace(recent, sightings=Seen(saw(20)))
    assert agent.view(old, plain, MAY)["probably_about"] is None
    mailed = replace(old, contacts=(contact(1, "sent", MAY - DAY, "b"),))
    assert agent.view(mailed, plain, MAY)["probably_about"] == {
        "topic": None,
        "why": "we sent b on email on 2026-05-19",
    }
    assert agent.view(Customer("C1"), plain, MAY)["help_first"] is False


def test_help_goes_first_where_something_is_open_even_where_it_earns_nothing():
    """Selling is refused then; what helps needs not be worth more than silence."""
    caseless = profile_of([Told(1, NOW - HOUR, "phone", "inbound", "complaint")])
    customer = replace(Customer("C1"), profile=caseless)
    costly = playbook(open_case={"suppresses": []}, harm={"contact": 99})
    asked = request(direction="inbound")
    assert decide(asked, Customer("C1"), flat(), costly, NOW, 0.5).chosen.action.name == "c"
    helped = decide(asked, customer, flat(), costly, NOW, 0.5)
    assert helped.chosen.action.name == "help"
    assert helped.agent["help_first"] is True
    asked = request(direction="inbound", only="recall")  # worth 0
    assert decide(asked, Customer("C1"), flat(), costly, NOW, 0.5).chosen is None
    assert decide(asked, customer, flat(), costly, NOW, 0.5).chosen.action.name == "recall"
    assert decide(request(), customer, flat(), playbook(), NOW, 0.5).agent is None, "outbound"
