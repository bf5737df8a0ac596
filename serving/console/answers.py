"""Pages that no view makes: signing in, and whatever went wrong, each saying what to do."""

from serving.auth import CONSOLE, SCOPES
from serving.console.artefacts import Unusable
from serving.console.blocks import Empty, Field, Form, Link, Page, Text
from serving.problems import Problem

#: Status -> (title, lead).
_WORDS = {
    400: ("This address is not right", "Something in the address cannot be read."),
    401: ("Signing in did not work", "The key was not accepted."),
    403: ("This key may not look here", "Your key was not made for this page."),
    404: ("There is no such page", "Nothing is at this address."),
    405: ("This page is only to be read", "The console changes nothing, so it takes no such request."),
    413: ("That is too much", "What was sent is larger than any form of the console."),
    429: ("Too much at once", "The console answers again in a moment."),
    500: ("This page failed", "This is our mistake, not yours; the service's log has the details."),
    503: ("Not ready yet", "The service cannot answer at this moment."),
    504: ("This page took too long", "It was given up, so that decisions do not wait for it."),
}
_KEY = "A key begins with `tactful_` and was shown once, when it was made."
_GO_ON = "to go on where you were; a session lasts 12 hours"
_NO_KEY = "No key yet? Whoever runs the service makes one: `tactful keys create NAME --scope marketer`."


def sign_in(token: str, back: str, error: str | None = None) -> Page:
    """The form that asks for a key. `back` is where whoever signs in wanted to go."""
    fields = [
        Field("token", "", "hidden", token),
        Field("next", "", "hidden", back),
        Field("key", "Your key", "password", error=error),
    ]
    what = "to see what the nudges changed" if back.rstrip("/") in ("", CONSOLE) else _GO_ON
    return Page(
        "Sign in",
        f"Sign in with your key {what}.",
        [
            Form(fields, "Sign in", "/sign-in", "post", "Sign in"),
            Text(f"{_KEY} {_NO_KEY}", quiet=True),
        ],
    )


def signed_out() -> Page:
    return Page("Signed out", "You are signed out on this device.", [Text([Link("Sign in again", "/sign-in")])])


def failed(status: int, detail: str | None = None, command: str | None = None) -> Page:
    """What went wrong and what to do; every status has words of its own."""
    title, lead = _WORDS.get(status, _WORDS[500 if status >= 500 else 400])
    home = Text(["Go to the ", Link("overview", "/"), "."])
    detail = detail or ("Check the address." if status == 404 else "Try again.")
    return Page(title, lead, [Empty("What to do", detail, command), home])


def refused(problem: Problem) -> Page:
    """A problem of the API as a page."""
    return failed(problem.status, problem.detail[:1].upper() + problem.detail[1:] + ".")


def not_allowed(scope: str, has: frozenset[str]) -> Page:
    """The key lacks the page's scope."""
    mine = ", ".join(f"`{each}`" for each in sorted(has)) or "none"
    detail = f"It takes a key with the scope `{scope}` ({SCOPES[scope]}); yours has {mine}. Ask for another one:"
    return failed(403, detail, f"tactful keys create NAME --scope {scope}")


def unusable(title: str, found: Unusable) -> Page:
    """No artefact, or none that can be shown."""
    how = "Whoever runs the service writes it anew, best every day:"
    return Page(title, found.why, [Empty(found.title, how, f"tactful report {found.kind}")])
