"""What a loop asks for goes to the thread together: once a turn brings nothing more, or enough have come."""

import asyncio

import pytest

from serving.store.gathering import MOST, Gathering


@pytest.fixture
def taken():
    return []


@pytest.fixture
def gathering(taken):
    return Gathering(lambda items: taken.append(list(items)))


def test_without_a_loop_each_goes_at_once(gathering, taken):
    for item in range(3):
        gathering.put(item)
    assert taken == [[0], [1], [2]]


def test_turns_that_bring_more_are_waited_for(gathering, taken):
    async def asking(turns):
        for turn in turns:
            gathering.put(turn)
            await asyncio.sleep(0)  # the next turn

    async def both():
        await asyncio.gather(asking("abc"), asking("xyz"))
        for _ in range(2):
            await asyncio.sleep(0)
        return list(taken)

    assert asyncio.run(both()) == [["a", "x", "b", "y", "c", "z"]]


def test_a_loop_that_always_brings_more_keeps_nobody_waiting(gathering, taken):
    async def asking():
        for item in range(3 * MOST):
            gathering.put(item)
            await asyncio.sleep(0)
        for _ in range(2):
            await asyncio.sleep(0)

    asyncio.run(asking())
    assert [item for items in taken for item in items] == list(range(3 * MOST))
    assert max(map(len, taken)) <= MOST + 1


def test_whoever_waits_in_plain_code_does_not_wait_for_the_turn(gathering, taken):
    async def asking():
        answer = gathering.answer()
        gathering.put("a")
        answer.add_done_callback(lambda _: None)
        gathering.hand_over()
        assert taken == [["a"]]
        for _ in range(3):
            await asyncio.sleep(0)
        gathering.put("b")  # nothing of the first is left over
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(asking())
    assert taken == [["a"], ["b"]]
