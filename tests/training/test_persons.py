"""Labels of customers who go by several ids, against a plain reading with the mapping of each instant."""

import numpy as np
import pyarrow as pa
import pytest
import simulated

from features.clock import DAY
from features.identity.links import erased, links_from
from features.identity.resolution import resolve
from features.interactions import INSTANT
from features.past import Past
from features.workspace import Settings
from training.labels import Life, micros
from training.persons import Persons
from training.propensity import find
from training.train import build

SETTINGS = Settings.model_validate({"churn": {"horizon_days": 30, "active_days": 90}})


def naive(past, settings, cutoff):
    """customer -> churned as of a cutoff: everybody under the name they had then, and by the end of the horizon."""
    rule, gone = settings.churn, erased(past.links)
    until = cutoff + rule.horizon_days * DAY
    now, then = resolve(past.links, cutoff, settings), resolve(past.links, until, settings)
    at, known = micros(past.interactions["occurred_at"]), micros(past.interactions["received_at"])
    ids, kinds = past.interactions["customer_id"].to_pylist(), past.interactions["type"].to_pylist()
    rows = [row for row in zip(ids, at, known, kinds, strict=True) if row[0] not in gone and row[3] in rule.qualifying]
    since = cutoff - rule.active_days * DAY
    alive = {now.get(who, who) for who, day, learned, _ in rows if since <= day < cutoff and learned <= cutoff}
    back = {then.get(who, who) for who, day, _, _ in rows if cutoff <= day < until}
    return {who: then.get(who, who) not in back for who in alive}


def linked(*links):
    """(identifier, kind, customer, day[, op])."""
    return links_from(
        [link[0] for link in links],
        [link[1] for link in links],
        [link[2] for link in links],
        [simulated.START + int(link[3] * DAY) for link in links],
        [link[4] if len(link) > 4 else "link" for link in links],
    )


def test_labels_follow_the_person_of_each_instant():
    past = simulated.busy(seed=4)
    erase = linked(("c7", "customer", None, 100, "erase"), ("login 0", "login", "c0", 200, "unlink"))
    past = Past(past.interactions, past.attributes, pa.concat_tables([past.links, erase]))
    life, merged = Life.of(past, SETTINGS), 0
    for day in (60, 100, 130, 170, 205):
        cutoff = simulated.START + day * DAY
        who, churned = life.population(cutoff), life.churned(cutoff)
        assert dict(zip(life.customers[who], churned[who].tolist(), strict=True)) == naive(past, SETTINGS, cutoff)
        merged += len(resolve(past.links, cutoff, SETTINGS))
    assert merged
    assert "c7" not in life.customers[life.population(simulated.START + 60 * DAY)]


def test_who_comes_back_under_another_id_has_not_left():
    log = simulated.table([1, 2], [40, 60])
    alone = Life.of(log, SETTINGS)
    both = Life.of(Past(log, links=linked(("L", "login", "c1", 45), ("L", "login", "c2", 65))), SETTINGS)
    later = Life.of(Past(log, links=linked(("L", "login", "c1", 45), ("L", "login", "c2", 95))), SETTINGS)
    cutoff = simulated.START + 50 * DAY
    for life, left in ((alone, True), (both, False), (later, True)):  # the last learned of it after the horizon
        (who,) = life.population(cutoff)
        assert (life.customers[who], life.churned(cutoff)[who]) == ("c1", left)
    merged = both.population(simulated.START + 70 * DAY)
    assert both.customers[merged].tolist() == ["c1"]


def test_a_customer_known_by_identifiers_alone_has_a_life():
    """Rows that carry a cookie count for the account it was linked to, which has no row of its own."""
    log = simulated.table([1, 1], [10, 55])
    life = Life.of(Past(log, links=linked(("c1", "cookie", "account", 20))), SETTINGS)
    cutoff = simulated.START + 50 * DAY
    (who,) = life.population(cutoff)
    assert (life.customers[who], life.churned(cutoff)[who]) == ("account", False)
    (before,) = life.population(simulated.START + 15 * DAY)
    assert life.customers[before] == "c1"


def test_without_links_everyone_is_who_they_are():
    ids = np.array(["a", "b"], object)
    assert Persons.of(ids, None, SETTINGS).at(0).tolist() == [0, 1]
    assert Persons.of(ids, linked(), SETTINGS).at(0).tolist() == [0, 1]


@pytest.mark.parametrize(("link", "responded"), [(True, 1), (False, 0)])
def test_a_response_counts_from_any_id_of_the_customer(link, responded):
    log = simulated.table(
        [1, 2],
        [10, 12],
        direction=["outbound", "inbound"],
        type=["contact", "accepted"],
        action=pa.array(["coupon", "coupon"], pa.string()),
    )
    links = linked(("L", "login", "c1", 5), ("L", "login", "c2", 11)) if link else None
    offers = find(Past(log, links=links), SETTINGS)
    assert (offers.customer.tolist(), offers.responded.tolist()) == (["c1"], [responded])


def test_features_of_training_are_those_of_persons_and_of_their_attributes():
    from features import batch
    from features.catalogue import DEFAULT, Catalogue
    from features.own_catalogue import attribute_features

    settings = Settings.model_validate(
        {"churn": {"horizon_days": 30}, "attributes": {"age": "number", "segment": ["gold", "silver"]}}
    )
    named = {"recency_purchase", "lifetime_count_purchase", "tenure_inbound"}
    few = Catalogue((*(f for f in DEFAULT if f.name in named), *attribute_features(settings.attributes)))
    past = simulated.busy()
    dataset = build("churn", past, settings, {}, catalogue=few)
    test = dataset.test
    whole = batch.compute(past, [int(test.as_of[0])], few, settings).to_arrow().to_pandas().set_index("customer_id")
    rows = whole.loc[test.customer]
    assert set(test.frame["attribute_segment"].dropna()) == {"gold", "silver"}
    for name in few.names:
        assert test.frame[name].astype(object).tolist() == rows[name].astype(object).tolist()
    merged = resolve(past.links, int(test.as_of[0]), settings)
    assert merged
    assert not set(test.customer) & set(merged)
    at = past.interactions["occurred_at"].cast(INSTANT)
    assert len(at) > len(test)
