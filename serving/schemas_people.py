"""What goes over the wire about people's wishes and rights: preferences, privacy, and the outbox's acknowledgements."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, Strict, model_validator

from serving.schemas import Instant, Request, Word

Channels = Annotated[list[Word], Field(min_length=1, max_length=64)] | Literal["all"]


class Consent(Request):
    """A yes or a no, to channels and purposes."""

    channels: Channels = Field(examples=[["email"]], description="channels of the workspace, or `all`")
    purposes: Channels = Field(
        "all", examples=[["marketing"]], description="what for: purposes of actions.yaml, or `all`"
    )
    granted: Annotated[bool, Strict()] = Field(description="true: may be contacted; false: opted out")

    @property
    def scopes(self) -> set[tuple[str, str]]:
        channels = ["*"] if self.channels == "all" else self.channels
        purposes = ["*"] if self.purposes == "all" else self.purposes
        return {(channel, purpose) for channel in channels for purpose in purposes}


class PreferencesRequest(Request):
    """What a customer wishes. It binds at once, also contacts that are reserved and not yet claimed.

    In one call a narrower yes stands beside a wider no: no to `all` and yes to `email` leaves e-mail alone.
    """

    customer_id: Word = Field(examples=["C1042"])
    preference_id: Word | None = Field(None, description="your idempotency key", examples=["form-8812"])
    occurred_at: Instant | None = Field(None, description="when they said so; default: now")
    channel: Word | None = Field(None, examples=["web"], description="where they said so; default: web")
    consent: list[Consent] = Field([], max_length=64)
    contact: Literal["less_often", "as_usual"] | None = Field(
        None, description="less_often: half of what caps allow; as_usual: takes that and a pause back"
    )
    pause_until: Instant | None = Field(None, description="nothing is sent before that instant")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C1042",
                    "preference_id": "form-8812",
                    "consent": [
                        {"channels": "all", "purposes": ["marketing"], "granted": False},
                        {"channels": ["email"], "purposes": ["marketing"], "granted": True},
                    ],
                    "contact": "less_often",
                }
            ]
        }
    )

    @model_validator(mode="after")
    def _sensible(self) -> "PreferencesRequest":
        if not self.consent and self.contact is None and self.pause_until is None:
            raise ValueError("says nothing; send `consent`, `contact` or `pause_until`")
        if self.contact == "as_usual" and self.pause_until is not None:
            raise ValueError("asks to be contacted as usual and to pause; send one of them")
        seen: set[tuple[str, str]] = set()
        for each in self.consent:
            if twice := each.scopes & seen:
                channel, purpose = min(twice)
                raise ValueError(f"says two things about channel {channel!r} and purpose {purpose!r}; send one")
            seen |= each.scopes
        return self


class PersonRequest(Request):
    """Names a person by any of their ids."""

    customer_id: Word = Field(examples=["C1042"])

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "C1042"}]})


class RestrictRequest(Request):
    """Asks to leave a person alone, or takes it back."""

    customer_id: Word = Field(examples=["C1042"])
    restricted: Annotated[bool, Strict()] = Field(True, description="false takes it back")

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "C1042", "restricted": True}]})
