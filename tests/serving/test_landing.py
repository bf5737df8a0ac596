"""Between an event loop and the store's threads: a turn asks together, a group wakes the loop once, nobody is lost."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from serving.store.fetcher import Fetcher
from serving.store.landing import landed
from serving.store.protocol import Unavailable
from serving.store.writer import Writer


def test_a_group_wakes_the_loop_once() -> None:
    futures: list[Future[int]] = [Future() for _ in range(20)]
    wakes = []

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        plain = loop.call_soon_threadsafe

        def counted(*words: Any) -> asyncio.Handle:
            wakes.append(words)
            return plain(*words)

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign]
        waiting = asyncio.gather(*(landed(future) for future in futures))
        await asyncio.sleep(0)

        def resolve() -> None:
            for number, future in enumerate(futures):
                future.set_result(number)

        resolve()  # on this very thread, so that the loop cannot run in between
        return await waiting

    assert asyncio.run(main()) == list(range(20))
    assert len(wakes) == 1


def test_everyone_is_woken_however_the_threads_run() -> None:
    async def main() -> int:
        total = 0
        for _ in range(200):
            futures: list[Future[int]] = [Future() for _ in range(8)]
            threads = [
                threading.Thread(target=lambda some=some: [f.set_result(1) for f in some])  # type: ignore[misc]
                for some in (futures[:4], futures[4:])
            ]
            for thread in threads:
                thread.start()
            total += sum(await asyncio.wait_for(asyncio.gather(*map(landed, futures)), 60))
            for thread in threads:
                thread.join()
        return total

    assert asyncio.run(main()) == 1600


def test_an_error_is_raised_and_a_client_that_hangs_up_takes_nothing_back() -> None:
    failing: Future[int] = Future()
    left: Future[int] = Future()

    async def main() -> None:
        asked = asyncio.gather(landed(failing), return_exceptions=True)
        gone = asyncio.create_task(landed(left))
        await asyncio.sleep(0)
        gone.cancel()
        failing.set_exception(OSError("the disk is full"))
        left.set_result(1)
        (error,) = await asked
        assert isinstance(error, OSError)
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert not left.cancelled()

    asyncio.run(main())


def test_what_resolves_after_the_loop_is_gone_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    late: Future[int] = Future()

    async def main() -> None:
        asyncio.create_task(landed(late))  # noqa: RUF006  it never ends
        await asyncio.sleep(0)

    asyncio.run(main())
    late.set_result(1)
    assert not caplog.records


def test_a_turn_of_the_loop_is_one_transaction(tmp_path: Path) -> None:
    sizes: list[int] = []
    writer, done = _writer(tmp_path, sizes)

    async def main() -> list[int]:
        return list(await asyncio.gather(*(landed(writer.submit(lambda _, n=n: n)) for n in range(10))))  # type: ignore[misc]

    assert asyncio.run(main()) == list(range(10))
    done()
    assert sizes == [10]


def test_who_waits_in_plain_code_on_the_loop_s_own_thread_is_answered(tmp_path: Path) -> None:
    writer, done = _writer(tmp_path, [])

    async def main() -> tuple[int, BaseException | None]:
        return writer.submit(lambda _: 7).result(timeout=60), writer.submit(lambda _: 7).exception(timeout=60)

    assert asyncio.run(main()) == (7, None)
    done()


def test_closing_finishes_what_the_loop_has_not_handed_over(tmp_path: Path) -> None:
    writer, done = _writer(tmp_path, [])

    async def main() -> "Future[int]":
        future = writer.submit(lambda _: 7)
        done()
        return future

    assert asyncio.run(main()).result(timeout=0) == 7


def _writer(folder: Path, sizes: list[int]) -> tuple[Writer, Any]:
    """A writer to a file, which notes how many operations each transaction has; and how to close it."""
    from serving.store.sqlite import SqliteDatabase

    database = SqliteDatabase(folder / "a.db")

    class Noted(Writer):
        def _transaction(self, session: Any, batch: Any, together: bool) -> Any:
            sizes.append(len(batch))
            return super()._transaction(session, batch, together)

    writer = Noted(database.session, lambda: None)

    def close() -> None:
        writer.close()
        database.close()

    return writer, close


def test_readings_of_one_turn_go_together_and_each_gets_its_own() -> None:
    asked: list[list[str]] = []

    def ask(keys: Any) -> list[str]:
        asked.append(list(keys))
        if "lost" in keys:
            raise OSError("the server is away")
        return [key.upper() for key in keys]

    fetcher: Fetcher[str, str] = Fetcher(ask)

    async def main() -> None:
        assert await asyncio.gather(*(landed(fetcher.fetch(key)) for key in "abca")) == ["A", "B", "C", "A"]
        with pytest.raises(OSError, match="the server is away"):
            await landed(fetcher.fetch("lost"))
        assert fetcher.fetch("z").result(timeout=60) == "Z"

    asyncio.run(main())
    fetcher.close()
    assert asked == [["a", "b", "c", "a"], ["lost"], ["z"]]
    with pytest.raises(Unavailable):
        fetcher.fetch("late")


def test_who_cannot_be_read_spoils_nobody_elses_reading() -> None:
    def ask(keys: Any) -> list[str]:
        if "damaged" in keys:
            raise ValueError("the state holds code 9, the vocabulary ends at 3")
        return [key.upper() for key in keys]

    fetcher: Fetcher[str, str] = Fetcher(ask)

    async def main() -> list[Any]:
        asked = [landed(fetcher.fetch(key)) for key in ("a", "damaged", "b")]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, damaged, last = asyncio.run(main())
    fetcher.close()
    assert (first, last) == ("A", "B")
    assert isinstance(damaged, ValueError)
