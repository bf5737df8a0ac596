"""What the simulated company can do: eight actions on six channels, and whom each of them moves.

An action's effect is the number of purchases that would not have been made, at no load and on a channel of average
reach: `base` times its fit to the customer. The fits, with s_price and s_service the customer's sensitivities in 0..1,
L their rate of buying and g the days since they last bought:

    newsletter        1
    voucher           s_price^2                 10 % off one basket: pays with those who would not have come otherwise
    winback_voucher   s_price * (1 - exp(-L g / 2))          for who has been away long, by their own measure
    recommendation    1.5 * (1 - s_price)
    replenish         L g exp(1 - L g)                       when the next purchase is due
    event_invite      Phi(affinity to the store)^2
    loyalty_call      s_service^2               and calms: dissatisfaction shrinks by `calms`
    service_recovery  none; it takes dissatisfaction back, where there is any worth the name

Who buys anyway is moved less by all of them (parameters.py, `soon`), and yet answers most: response is no effect.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.interactions import CHANNELS

#: How an action fits a customer; the numbers are what the compiled code knows them by.
EVERYBODY, PRICE, LAPSED, VARIETY, DUE, STORE, SERVICE, RECOVERY = range(8)

#: The same actions for the service: an actions.yaml for a workspace that holds a simulated log.
TEMPLATE = Path(__file__).parent / "actions.yaml"


@dataclass(frozen=True)
class Action:
    """One action: `costs` by channel where it can be offered, `off` the share of a basket that a voucher takes off."""

    name: str
    fit: int
    base: float
    costs: dict[str, float]
    off: float = 0.0
    calms: float = 0.0


ACTIONS = (
    Action("newsletter", EVERYBODY, 0.03, {"email": 0.003, "mobile_app": 0.001, "social": 0.01}),
    Action("voucher", PRICE, 0.20, {"email": 0.003, "mobile_app": 0.001, "chat": 0.10}, off=0.10),
    Action("winback_voucher", LAPSED, 0.30, {"email": 0.003, "mobile_app": 0.001, "phone": 2.50}, off=0.15),
    Action("recommendation", VARIETY, 0.06, {"email": 0.003, "mobile_app": 0.001, "social": 0.01, "advertising": 0.02}),
    Action("replenish", DUE, 0.12, {"email": 0.003, "mobile_app": 0.001, "chat": 0.10}),
    Action("event_invite", STORE, 0.10, {"email": 0.01, "mobile_app": 0.01, "social": 0.01}),
    Action("loyalty_call", SERVICE, 0.25, {"phone": 3.00, "chat": 0.80}, calms=0.2),
    Action("service_recovery", RECOVERY, 0.0, {"phone": 3.00, "email": 0.30, "chat": 0.80}, calms=0.6),
)
#: (action, channel) of each treatment: what a policy chooses is a position here, or -1 for silence.
TREATMENTS = tuple((action.name, channel) for action in ACTIONS for channel in action.costs)

_ACTION = {action.name: i for i, action in enumerate(ACTIONS)}
#: Of each treatment: its action and channel as positions in ACTIONS and CHANNELS, and the action's numbers.
ACTION_OF = np.array([_ACTION[name] for name, _ in TREATMENTS])
CHANNEL_OF = np.array([CHANNELS.index(channel) for _, channel in TREATMENTS])
COST_OF = np.array([ACTIONS[_ACTION[name]].costs[channel] for name, channel in TREATMENTS])
FIT_OF = np.array([ACTIONS[a].fit for a in ACTION_OF])
BASE_OF = np.array([ACTIONS[a].base for a in ACTION_OF])
OFF_OF = np.array([ACTIONS[a].off for a in ACTION_OF])
CALMS_OF = np.array([ACTIONS[a].calms for a in ACTION_OF])
