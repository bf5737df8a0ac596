"""Steps and channels as people say them: "page view on the web", "contact by e-mail"."""

from collections.abc import Sequence

#: A name from the data is shown up to this length.
LONGEST = 40
#: How something comes about on a channel; others are spoken of as "on kiosk".
_ON = {
    "email": "by e-mail", "phone": "by phone", "mail": "by letter", "chat": "by chat", "web": "on the web",
    "store": "in the store", "social": "on social media", "mobile_app": "in the mobile app",
    "advertising": "by advertising",
}  # fmt: skip


def on_channel(channel: str) -> str:
    """A channel inside a sentence.

    >>> on_channel("email"), on_channel("self_service")
    ('by e-mail', 'on self service')
    """
    return _ON.get(channel) or f"on {_plain(channel)}"


def step_name(type_: str, channel: str) -> str:
    """
    >>> step_name("case_closed", "phone"), step_name("email_open", "email")
    ('case closed by phone', 'email open')
    """
    if type_.startswith(f"{channel}_"):  # it says its channel already
        return _plain(type_)
    return f"{_plain(type_)} {on_channel(channel)}"


def step_names(steps: Sequence[tuple[str, str, str]]) -> list[str]:
    """Of (type, channel, direction); what we do says so where customers do the same thing on the same channel."""
    theirs = {(type_, channel) for type_, channel, direction in steps if direction == "inbound"}
    return [
        step_name(type_, channel) + (" (ours)" if direction != "inbound" and (type_, channel) in theirs else "")
        for type_, channel, direction in steps
    ]


def _plain(name: str) -> str:
    plain = name.replace("_", " ").strip() or "unnamed"
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1].rstrip() + "…"
