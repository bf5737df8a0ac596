"""A day's volume among processes: what one gives back, another finds."""

import asyncio
from types import SimpleNamespace

import pytest
from worlds import NOW, playbook

from serving.engine import volumes
from serving.engine.volumes import AGAIN, Volumes


@pytest.fixture
def moment(monkeypatch):
    """Seconds of the clock by which a volume is asked for again."""
    found = SimpleNamespace(now=100.0)
    monkeypatch.setattr(volumes, "monotonic", lambda: found.now)
    return found


def reserving(name="voucher", volume=3):
    """As much of a decision as volumes look at."""
    chosen = SimpleNamespace(action=SimpleNamespace(name=name, volume=volume))
    return SimpleNamespace(at=NOW, slots=[SimpleNamespace(chosen=chosen, contact=object())])


def take(held, decision):
    return asyncio.run(held.take(decision, playbook()))


def test_a_volume_that_was_given_out_is_asked_for_again(opened, moment):
    first, second, book = Volumes(opened()), Volumes(opened()), playbook()
    decision = reserving()
    assert [take(first, decision) for _ in range(4)] == [True, True, True, False]
    assert not take(second, decision)
    assert second.spent(book, NOW) == {"voucher"}
    first.give_back(decision, book)
    first.close()
    assert take(first, reserving("letter")), "written after what was given back"
    moment.now += AGAIN - 0.1
    assert not take(second, decision), "not for every decision"
    moment.now += 0.2
    assert second.spent(book, NOW) == frozenset()
    assert take(second, decision)
    assert not take(second, decision)
    assert second.spent(book, NOW) == {"voucher"}


def test_what_a_process_gives_back_to_itself_it_has_at_once(store, moment):
    held, book = Volumes(store), playbook()
    assert take(held, reserving(volume=1))
    assert not take(held, reserving(volume=1))
    held.give_back(reserving(volume=1), book)
    assert held.spent(book, NOW) == frozenset()
    assert take(held, reserving(volume=1))
    assert moment.now == 100.0


def test_another_day_has_its_own_volume(store, moment):
    held, book = Volumes(store), playbook()
    assert take(held, reserving(volume=1))
    assert not take(held, reserving(volume=1))
    tomorrow = NOW + 86_400_000_000
    assert held.spent(book, tomorrow) == frozenset()
    later = reserving(volume=1)
    later.at = tomorrow
    assert take(held, later)
    moment.now += AGAIN
    assert not take(held, reserving(volume=1)), "yesterday's stays given out"
