"""The list of features: complete in words, unique in names, stable in version."""

import pytest

from features.catalogue import DEFAULT, OWN_CONTACT, PURCHASE, Catalogue
from features.definitions import Feature, Selector
from features.interactions import NAMED_TYPES
from features.kernel.accumulators import CASE_ROLE, CHANNEL, HIDDEN, NAMED_TYPE, NEEDS, ROLES, STAGE, TOPIC, TRAITS
from features.kernel.roles import PARTS, SESSION
from features.kinds import KINDS, Count, DecayedDays, Sessions, Trend
from features.vocabulary import Vocabulary
from features.workspace import Settings


def test_the_default_has_about_150_features():
    assert 140 <= len(DEFAULT) <= 175


@pytest.mark.parametrize("feature", DEFAULT.features, ids=lambda feature: feature.name)
def test_every_feature_says_what_it_is(feature):
    assert feature.name.replace("_", "").isalnum()
    assert feature.name == feature.name.lower()
    assert len(feature.text) > 10
    assert feature.unit
    assert feature.null
    assert feature.sensitivity in ("behavioural", "public", "declared", "inferred")


def test_names_come_from_parameters():
    email = Selector(channel="email", direction="outbound")
    assert Count(email, 30).name == "count_email_outbound_30d"
    assert Count(email, 30).text == "number of outbound interactions on email in the last 30 days"
    assert DecayedDays(PURCHASE, 14).name == "decayed_days_purchase_14d"
    assert Count(OWN_CONTACT, 1).name == "count_own_contact_1d"
    assert Count(OWN_CONTACT, 1).text == "number of own contacts in the last day"


def test_all_kinds_are_registered_and_ask_for_known_needs():
    def leaves(kind):
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(leaves, below))

    assert leaves(Feature) == set(KINDS)
    assert all(set(kind.needs) <= {*NEEDS, *PARTS, "cases"} for kind in KINDS)


def test_the_version_follows_the_content():
    assert Catalogue((Count(PURCHASE, 30),)).version == Catalogue((Count(PURCHASE, 30),)).version
    versions = {
        Catalogue(features).version
        for features in (
            (Count(PURCHASE, 30),),
            (Count(PURCHASE, 31),),
            (Count(PURCHASE, 30), Count(PURCHASE, 31)),
            (Count(PURCHASE, 31), Count(PURCHASE, 30)),
        )
    }
    assert len(versions) == 4


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match="count_purchase_30d twice"):
        Catalogue((Count(PURCHASE, 30), Count(PURCHASE, 30)))
    with pytest.raises(ValueError, match="1 to 400 days"):
        Count(PURCHASE, 401)
    with pytest.raises(ValueError, match="shorter window with a longer"):
        Trend(PURCHASE, 30, 30)


def test_the_tables_follow_a_growing_vocabulary():
    words = Vocabulary()
    compiled = DEFAULT.compile(words, Settings())
    assert compiled.tables.traits.shape == (0, TRAITS)
    words.code("web", "inbound", "purchase", "billing")
    buying, help_ = 2, 3
    purchase, complaint, other = (NAMED_TYPES.index(name) for name in ("purchase", "complaint", "other"))
    first = compiled.tables.traits[0]
    assert first[[CHANNEL, TOPIC, CASE_ROLE, NAMED_TYPE, STAGE, HIDDEN]].tolist() == [0, 0, 0, purchase, buying, 0]
    words.code("phone", "inbound", "complaint", "health")
    words.code("fax", "inbound", "case_closed", None)
    tables = compiled.tables
    columns = [CHANNEL, TOPIC, CASE_ROLE, NAMED_TYPE, STAGE, HIDDEN]
    assert tables.traits[1:, columns].tolist() == [[3, 1, 1, complaint, help_, 1], [-1, -1, 2, other, -1, 0]]
    assert tables.traits[1, ROLES] == 0, "a sensitive topic plays no role"
    matched = [
        tables.selectors[a:b].tolist() for a, b in zip(tables.selector_start, tables.selector_start[1:], strict=False)
    ]
    assert matched[2:4] == [[], []], "a sensitive topic adds to nothing"
    assert matched[0] != []


def test_what_nobody_asks_for_plays_no_role():
    words = Vocabulary([("web", "inbound", "page_view", None), ("email", "outbound", "contact", None)])
    tables = Catalogue((Sessions(7), Count(PURCHASE, 7))).compile(words, Settings()).tables
    assert tables.traits[:, ROLES].tolist() == [SESSION, 0]
    assert tables.hooks.tolist() == [1, 0]
    plain = Catalogue((Count(PURCHASE, 7),)).compile(words, Settings()).tables
    assert not plain.traits[:, ROLES].any()
    assert plain.hooks.tolist() == [0, 0]


def test_every_part_of_the_sequence_is_asked_for_by_the_default():
    asked = {need for feature in DEFAULT for need in feature.needs}
    assert asked == {*NEEDS, *PARTS, "cases"}
