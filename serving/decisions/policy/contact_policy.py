"""contact_policy.yaml: when we leave people alone, and what is left to chance so that it stays measurable."""

from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from features.interactions import NOT_CONTACTS
from features.workspace import Section
from serving.decisions.policy.actions import Action
from serving.decisions.policy.caps import Cap, CapLevels, Pressure
from serving.decisions.policy.durations import LONGEST, Name
from serving.decisions.policy.hashing import fingerprint
from serving.decisions.policy.measuring import (
    Challenger,
    Experiment,
    Exploration,
    Fallback,
    Harm,
    Holdout,
    Increment,
    Maturity,
    Withholding,
)
from serving.decisions.policy.rests import Consent, CoolDown, ExemptClass, OpenCase, Quiet, Reservation, Signals

#: What came later: a file without them keeps the version that its logged decisions carry.
LATER = ("challenger", "fallback.churn")


class ContactPolicy(Section):
    """contact_policy.yaml."""

    zone: str = Field("UTC", description="the company's time zone: days of volumes and of `valid`")
    unknown_zone: Literal["refuse", "company"] = Field(
        "refuse", description="a customer whose zone is not known: refused where a rule needs it, or the company's zone"
    )
    caps: list[Cap] = Field([])
    on_cap: Literal["drop", "defer"] = Field("drop", description="what a cap does to a nudge: forget it, or put it off")
    pressure: Pressure | None = Field(None, description="across channels; none: only caps count")
    cool_down: CoolDown = CoolDown()
    quiet: Quiet | None = Field(None, description="hours and days of rest")
    consent: Consent = Consent()
    signals: Signals = Signals()
    service: list[str] = Field(["service"], description="issues or groups that help; all others are selling")
    open_case: OpenCase = OpenCase()
    exempt: dict[Name, ExemptClass] = Field({})
    not_contacts: list[str] = Field(
        [name for name in NOT_CONTACTS if name != "sent"],  # another tool's word for a contact that it made
        description="outbound interaction types that are no contact: they tell what became of one",
    )
    holdout: Holdout = Holdout()
    withholding: Withholding = Withholding()
    exploration: Exploration = Exploration()
    maturity: Maturity | None = Field(None, description="how new actions are ramped up; none: at once")
    experiment: Experiment | None = Field(None, description="impact experiments")
    cap_levels: CapLevels | None = Field(None, description="a few customers under other caps")
    challenger: Challenger | None = Field(None, description="challenger models decide for a share of customers")
    increment: Increment = Increment()
    harm: Harm = Harm()
    reservation: Reservation = Reservation()
    fallback: Fallback = Fallback()

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError, LookupError):
            raise ValueError(f"{name!r} is no time zone; write one such as Europe/Berlin or UTC") from None

    @cached_property
    def version(self) -> str:
        return fingerprint(self, LATER)

    @cached_property
    def company_zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def reach(self) -> int:
        """How far back, in microseconds, the guard looks at contacts; pressure never quite forgets one."""
        if self.pressure is not None:
            return LONGEST
        return max([cap.length for cap in self.caps] + [self.harm.length])

    def sells(self, action: Action) -> bool:
        """Everything is selling unless its issue or group is listed under `service`: unlisted fails closed."""
        return action.issue not in self.service and action.group not in self.service

    def purpose(self, action: Action) -> str:
        """What consent is asked for: as stated, else `service` for what helps and `marketing` for what sells."""
        stated = "purpose" in action.model_fields_set
        return action.purpose if stated or self.sells(action) else "service"

    def counts(self, action: Action) -> bool:
        """Whether contacts of this action count toward caps."""
        return action.exempt is None or self.exempt[action.exempt].counts
