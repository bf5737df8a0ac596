"""What tests that drive a browser have in common: they wait for what is to happen, as long as a busy machine takes."""

import time
from contextlib import contextmanager

#: Milliseconds until a browser is given up that does not do what it is waited for.
WAIT = 240_000


def until(page, true):
    """Waits for a JavaScript expression to be true; playwright's own way to do so needs `eval`, which we forbid."""
    deadline = time.monotonic() + WAIT / 1000
    while not page.evaluate(true):
        assert time.monotonic() < deadline, f"never came true: {true}"
        page.wait_for_timeout(20)


@contextmanager
def anew(page):
    """Until the page has drawn its charts anew, which what is done within makes it do."""
    page.evaluate("() => { window.anew = false; addEventListener('settled', () => window.anew = true, {once: true}) }")
    yield
    until(page, "window.anew")


def redrawn(page):
    """The charts as the page is now, whatever was being drawn before: of two drawings the second begins after that."""
    for _ in range(2):
        with anew(page):
            page.evaluate("() => { dispatchEvent(new Event('themechange')) }")
