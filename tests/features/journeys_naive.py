"""Journeys as plain Python would find them: rows into lists, lists into counters. Slow, and meant to be believed."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from features.hashing import hash_string

DAY, MINUTE = 86_400_000_000, 60_000_000


def journeys(
    rows: list[dict[str, Any]], goal: set, pause_days: int, sensitive=frozenset(), surveys=(), leaves=None
) -> list[dict]:
    """Each journey: customer, steps (key, at, until, ratings), reached, and when its pause began (anchor).

    `rows`: interaction_id, customer_id, occurred_at (microseconds), channel, direction, type, topic, satisfaction.
    """
    found = []
    by_customer = defaultdict(dict)
    for row in rows:
        if row["topic"] is None or row["topic"].strip().lower() not in sensitive:
            by_customer[row["customer_id"]].setdefault(row["interaction_id"], row)
    for customer, theirs in sorted(by_customer.items()):
        journey = None
        for row in sorted(theirs.values(), key=lambda row: (row["occurred_at"], hash_string(row["interaction_id"]))):
            at, key = row["occurred_at"], (row["type"], row["channel"], row["direction"])
            ratings = [] if row["satisfaction"] is None else [row["satisfaction"]]
            if row["type"] in surveys:
                if journey is not None and at - journey["anchor"] <= pause_days * DAY:
                    journey["steps"][-1]["ratings"] += ratings
                continue
            over = journey is None
            if journey is not None and journey["reached"]:
                over = at - journey["steps"][-1]["until"] > 30 * MINUTE or (
                    row["type"] == leaves and leaves not in goal
                )
            elif journey is not None:
                over = at - journey["anchor"] > pause_days * DAY
            if over:
                journey = {"customer": customer, "steps": [], "reached": False, "anchor": at, "began": at}
                found.append(journey)
            steps = journey["steps"]
            if steps and (journey["reached"] or steps[-1]["key"] == key):
                steps[-1]["until"] = at
                steps[-1]["ratings"] += ratings
            else:
                steps.append({"key": key, "at": at, "until": at, "ratings": ratings})
            journey["reached"] = journey["reached"] or row["type"] in goal
            if row["direction"] == "inbound" or journey["reached"]:
                journey["anchor"] = at
    for journey, following in zip(found, [*found[1:], None], strict=False):
        journey["followed"] = following is not None and following["customer"] == journey["customer"]
    return found


def ending(journey: dict, pause_days: int, known_until: int) -> str:
    if journey["reached"]:
        return "goal"
    quiet = journey["followed"] or journey["anchor"] + pause_days * DAY < known_until
    return "quiet" if quiet else "open"


def departures(found: list[dict], signs: set[str], event: str | None, silence: bool, days: int, known_until: int):
    """Every (steps of the customer so far, index of the journey) up to the last thing they did before they had left."""
    left = []
    by_customer = defaultdict(list)
    for number, journey in enumerate(found):
        by_customer[journey["customer"]] += [(step, number) for step in journey["steps"]]
    for _, steps in sorted(by_customer.items()):
        life = [i for i, (step, _) in enumerate(steps) if step["key"][0] in signs or step["key"][0] == event]
        for i, following in zip(life, [*life[1:], None], strict=False):
            step = steps[i][0]
            if step["key"][0] == event:
                left.append((steps[: i + 1], steps[i][1]))
                continue
            gone_at = step["until"] + days * DAY
            back = known_until if following is None else steps[following][0]["at"]
            if silence and back > gone_at:
                before = [j for j in range(len(steps)) if steps[j][0]["at"] <= gone_at]
                own = [j for j in before if steps[j][0]["key"][2] == "inbound"]
                if own:
                    left.append((steps[: own[-1] + 1], steps[own[-1]][1]))
    return [([step for step, _ in steps], number) for steps, number in left]


def spelt(key: tuple[str, str, str]) -> str:
    return "|".join(key)


def flow(sequences: list[tuple[str, list[tuple], str | None]], from_left: bool, most: int = 9, width: int = 5) -> dict:
    """(layer, source, target) -> (sequences, customers) of (customer, keys, ending); the `most` used have names."""
    cut = [(who, keys[:width] if from_left else keys[-width:], end if not from_left or len(keys) <= width else None)
           for who, keys, end in sequences]  # fmt: skip
    used = Counter(spelt(key) for _, keys, _ in cut for key in keys)
    named = set(sorted(used, key=lambda key: (-used[key], key))[:most])
    links, people = Counter(), defaultdict(set)
    for who, keys, end in cut:
        words = [spelt(key) if spelt(key) in named else "other" for key in keys] + ([end] if end else [])
        first = 0 if from_left else width - len(keys)
        for layer, pair in enumerate(pairwise(words), first):
            links[layer, *pair] += 1
            people[layer, *pair].add(who)
    return {link: (count, len(people[link])) for link, count in links.items()}


def counts(found: list[dict], pause_days: int, known_until: int, zone_of: dict[str, str] | None = None) -> dict:
    """Every count of features/journeys/figures.py that needs no top list, by key."""
    steps, in_journeys, of_customers = Counter(), Counter(), defaultdict(set)
    visits, pairs, loops, back, times = defaultdict(Counter), Counter(), Counter(), Counter(), defaultdict(list)
    months, channels, breadth = defaultdict(Counter), Counter(), Counter()
    customers_by_month, paths, path_people = defaultdict(set), Counter(), defaultdict(set)
    utc, local = Counter(), Counter()
    looping = 0
    for journey in found:
        end = ending(journey, pause_days, known_until)
        keys = [spelt(step["key"]) for step in journey["steps"]]
        steps.update(keys)
        in_journeys.update(set(keys))
        again = {key for key, times_taken in Counter(keys).items() if times_taken > 1}
        back.update(again)
        looping += bool(again)
        for i, step in enumerate(journey["steps"]):
            of_customers[keys[i]].add(journey["customer"])
            visits[keys[i]]["visits"] += 1
            own_later = [later for later in journey["steps"][i + 1 :] if later["key"][2] == "inbound"]
            last = i + 1 == len(keys)
            visits[keys[i]]["moved" if own_later or (end == "goal" and not last) else end] += 1
            if own_later:
                times[keys[i]].append((own_later[0]["at"] - step["at"]) / 1e6)
            if not last:
                pairs[keys[i], keys[i + 1]] += 1
            if i + 2 < len(keys) and keys[i + 2] == keys[i]:
                loops[keys[i], keys[i + 1]] += 1
            if step["key"][2] == "inbound":
                when = datetime.fromtimestamp(step["at"] // 1_000_000, UTC)
                utc[when.weekday(), when.hour] += 1
                there = when.astimezone(ZoneInfo((zone_of or {}).get(journey["customer"], "UTC")))
                local[there.weekday(), there.hour] += 1
        began = datetime.fromtimestamp(journey["began"] // 1_000_000, UTC)
        touched = {step["key"][1] for step in journey["steps"]}
        ratings = [rating for step in journey["steps"] for rating in step["ratings"]]
        month = months[f"{began:%Y-%m}"]
        month.update(journeys=1, reached=int(end == "goal"), over=int(end != "open"), steps=len(keys))
        month.update(channels=len(touched), ratings=len(ratings))
        customers_by_month[f"{began:%Y-%m}"].add(journey["customer"])
        channels.update(touched)
        breadth[len(touched)] += 1
        path = (tuple(keys[:4]), len(keys) > 4, end)
        paths[path] += 1
        path_people[path].add(journey["customer"])
    return {
        "steps": {key: (steps[key], in_journeys[key], len(of_customers[key])) for key in steps},
        "visits": {key: tuple(found[name] for name in ("visits", "moved", "goal", "quiet", "open"))
                   for key, found in visits.items()},
        "median": {key: median(values) for key, values in times.items()},
        "back": dict(back), "looping": looping, "pairs": dict(pairs), "loops": dict(loops),
        "months": {month: {**found, "customers": len(customers_by_month[month])} for month, found in months.items()},
        "channels": dict(channels), "breadth": dict(breadth),
        "paths": {path: (count, len(path_people[path])) for path, count in paths.items()},
        "utc": dict(utc), "local": dict(local),
    }  # fmt: skip
