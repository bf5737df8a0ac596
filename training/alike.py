"""Linear algebra on one thread: sums in one order, so that a fit gives the same bits however many cores there are."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")


def alike(fit: Callable[P, T]) -> Callable[P, T]:
    """A function whose result does not depend on the number of threads."""

    @wraps(fit)
    def on_one_thread(*words: P.args, **options: P.kwargs) -> T:
        with threadpool_limits(1):
            return fit(*words, **options)

    return on_one_thread
