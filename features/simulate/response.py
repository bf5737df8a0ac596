"""What a contact does to a customer: equations shared by the day loop, the truth and the oracle.

With x = load / tolerance before the contact and y after it, w the customer's preference for the channel and L their
rate of buying, a contact

    adds       base * fit * w * reach * exp(-soon L) * max(0, 1 - x / 2)                purchases, over some days
    upsets by  intrusive * (resented * dog + annoyed * max(0, y - bears))                 dissatisfaction
    opts out   with probability opts_out * (1 + 2 dog) * (1 + steep x^2)
    complains  with probability `complains` times that
    is clicked with probability clicks * w * (1/2 + fit) * exp(-x)
"""

from math import exp
from typing import Any

from features.kernel.jit import inlined
from features.simulate.actions import DUE, EVERYBODY, LAPSED, PRICE, RECOVERY, SERVICE, STORE, VARIETY


@inlined
def fitting(kind: int, price: float, service: float, store: float, due: float) -> float:
    """How an action fits (see actions.py); `due` is the rate of buying x the days since the last purchase."""
    if kind == EVERYBODY:
        return 1.0
    if kind == PRICE:
        return price * price
    if kind == LAPSED:
        return price * (1.0 - exp(-0.5 * due))
    if kind == VARIETY:
        return 1.5 * (1.0 - price)
    if kind == DUE:
        return due * exp(1.0 - due)
    if kind == STORE:
        return store * store
    if kind == SERVICE:
        return service * service
    return 0.0


@inlined
def added(base: float, fit: float, affinity: float, reach: float, rate: float, soon: float, x: float) -> float:
    """Purchases that would not have been made."""
    return base * fit * affinity * reach * exp(-soon * rate) * max(0.0, 1.0 - 0.5 * x)


@inlined
def upset(p: Any, channel: int, dog: float, y: float) -> float:
    """Dissatisfaction from being contacted."""
    return p.intrusive[channel] * (p.resented * dog + p.annoyed * max(0.0, y - p.bears))


@inlined
def calmed(calms: float, service: float) -> float:
    """The share of dissatisfaction that somebody who listens takes away."""
    return calms * (0.5 + 0.5 * service)


@inlined
def opting_out(p: Any, channel: int, dog: float, x: float) -> float:
    """The probability to opt out of the channel because of the contact."""
    return min(0.5, p.opts_out[channel] * (1.0 + 2.0 * dog) * (1.0 + p.steep * x * x))


@inlined
def clicking(p: Any, channel: int, affinity: float, fit: float, x: float) -> float:
    """The probability of a click; who has something to be made good for is as interested as can be."""
    return min(1.0, p.clicks[channel] * affinity * (0.5 + fit) * exp(-x))


@inlined
def interest(kind: int, fit: float, dissatisfaction: float) -> float:
    """The fit that shows in clicks: a recovery adds no purchases, yet is welcome where something went wrong."""
    return min(1.0, dissatisfaction) if kind == RECOVERY else fit
