"""What comes back about people: their preferences, what is kept of them, what was deleted."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from serving.answers.common import AT, Answer


class ConsentShown(BaseModel):
    """The latest word on a channel and a purpose; `all` stands for every one."""

    channel: str
    purpose: str
    granted: bool
    since: str


class Preferences(Answer):
    """What a customer wishes, as it binds now; what they never said is up to the contact policy."""

    customer_id: str
    consent: list[ConsentShown]
    contact: Literal["less_often", "as_usual"]
    paused_until: str | None
    restricted: bool

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C1042",
                    "consent": [{"channel": "email", "purpose": "marketing", "granted": True, "since": AT}],
                    "contact": "as_usual",
                    "paused_until": None,
                    "restricted": False,
                }
            ]
        }
    )


class Exported(Answer):
    """All that is kept of a person: every id they go by, and plain rows by table of the store and log of history."""

    customer_id: str
    ids: list[str]
    store: dict[str, list[dict[str, Any]]]
    history: dict[str, list[dict[str, Any]]]


class Erased(Answer):
    """What was deleted for good: rows by table and log. `left` are files in which an id still stands."""

    ids: int
    rows: dict[str, int]
    left: list[str]
    finished: bool

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ids": 2, "rows": {"store interactions": 41, "history contacts": 3}, "left": [], "finished": True}
            ]
        }
    )


class Restricted(Answer):
    customer_id: str
    restricted: bool
