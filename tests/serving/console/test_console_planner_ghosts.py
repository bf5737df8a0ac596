"""The planner knows what history explains, and how long each action's ghosts take to tell."""

import json
import math
from statistics import NormalDist

import effect_artefacts as made_by
import pytest

from serving.console.views import uplift_planner, uplift_planner_ghosts
from serving.decisions import planning


def full():
    return json.loads(made_by.uplift().model_dump_json())


def report(weekly, ghosts=300, contacts=2700):
    """The full report, the pace and share of ghosts of every action as given."""
    made = full()
    for one in made["ghosts"]["breakdowns"]:
        for cell in one["cells"]:
            cell |= {"weekly": weekly, "ghosts": ghosts, "contacts": contacts}
    return made


def rows(made, lift=10.0, power=80.0):
    (table,) = uplift_planner_ghosts.blocks(made, lift, power)
    return {row[0]: row[1:] for row in table.rows}


def test_each_action_says_how_many_more_weeks_its_ghosts_need():
    made = report(100.0)
    cells = next(one["cells"] for one in made["ghosts"]["breakdowns"] if one["dimension"] == "action")
    known = [cell for cell in cells if cell["found"][0]["effect"]]
    found = rows(made)
    assert set(found) == {cell["name"] for cell in known}
    for cell in known:
        effect, level = cell["found"][0]["effect"], cell["found"][0]["control"]["mean"]
        error = (effect["high"] - effect["low"]) / 2 / 1.96
        # at that many draws a true lift of a tenth is found four times of five
        drawn, weekly, share, weeks, twice = found[cell["name"]]
        reach = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
        left = error * math.sqrt(3000 / (3000 + 100 * weeks))
        assert (drawn, weekly, share) == (3000, 100.0, pytest.approx(0.1))
        assert reach * left <= level * 0.1 * 1.001
        if weeks:
            assert reach * error * math.sqrt(3000 / (3000 + 100 * (weeks - 1))) > level * 0.1
        assert twice <= weeks


def test_half_the_lift_takes_four_times_the_draws_and_no_pace_no_weeks():
    small, large = rows(report(100.0), lift=5.0), rows(report(100.0), lift=10.0)
    assert all(3000 + 100 * small[name][3] >= 4 * (3000 + 100 * (large[name][3] - 1)) for name in small)
    assert {row[3] for row in rows(report(None), lift=1.0).values()} == {None}
    assert uplift_planner_ghosts.blocks(full() | {"ghosts": None}, 10.0, 80.0) == []


def test_what_history_explains_takes_customers_away():
    made = full()
    asked, fields = uplift_planner.read({"known": "25"}, made["outcomes"], made)
    assert not [field for field in fields if field.error]
    assert asked.needed(0.1) == planning.needed(0.75 * 0.16, 0.75 * 0.22 * 0.78, 0.05, 0.02, 0.8)
    made["outcomes"][0]["comparisons"][0]["explained"] = 0.25
    again, fields = uplift_planner.read({}, made["outcomes"], made)
    assert {field.name: field.value for field in fields}["known"] == "25"
    assert again.needed(0.1) == asked.needed(0.1)
