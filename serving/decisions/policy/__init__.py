"""What marketers decide: actions.yaml (what we can offer) and contact_policy.yaml (when we leave people alone).

Both are validated whole: a wrong key, a misspelt rule or an unknown channel is one line naming file, key and fix.
"""

from serving.decisions.policy.actions import Action, Actions, Signal, Treatment, Valid
from serving.decisions.policy.caps import Cap, CapLevel, CapLevels, Period, Pressure, Scope
from serving.decisions.policy.contact_policy import ContactPolicy
from serving.decisions.policy.durations import LONGEST, Attributes, Duration, Name, Rule, Share, Window, micros
from serving.decisions.policy.load import content, load, misfits
from serving.decisions.policy.measuring import (
    Arm,
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
from serving.decisions.policy.playbook import Playbook
from serving.decisions.policy.rests import (
    AfterIgnored,
    AfterRejection,
    Consent,
    CoolDown,
    ExemptClass,
    LessOften,
    OpenCase,
    Quiet,
    Reservation,
    Signals,
)
from serving.decisions.policy.triggers import Abandoned, ComingUp, Stalled, Trigger

__all__ = [
    "LONGEST",
    "Abandoned",
    "Action",
    "Actions",
    "AfterIgnored",
    "AfterRejection",
    "Arm",
    "Attributes",
    "Cap",
    "CapLevel",
    "CapLevels",
    "Challenger",
    "ComingUp",
    "Consent",
    "ContactPolicy",
    "CoolDown",
    "Duration",
    "ExemptClass",
    "Experiment",
    "Exploration",
    "Fallback",
    "Harm",
    "Holdout",
    "Increment",
    "LessOften",
    "Maturity",
    "Name",
    "OpenCase",
    "Period",
    "Playbook",
    "Pressure",
    "Quiet",
    "Reservation",
    "Rule",
    "Scope",
    "Share",
    "Signal",
    "Signals",
    "Stalled",
    "Treatment",
    "Trigger",
    "Valid",
    "Window",
    "Withholding",
    "content",
    "load",
    "micros",
    "misfits",
]
