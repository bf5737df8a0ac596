"""The simulated market's numbers, at three settings, with where each order of magnitude comes from.

Chosen before any policy was played on the market. The settings differ in one thing: how far behaviour shows what
customers are like. A trait z (standard normal) drives causes; what drives visible behaviour is

    x = visible * z + sqrt(1 - visible^2) * e,    e independent and standard normal,

so no log, however long, tells more than the share visible^2 of a trait's variance: what customers do by themselves, and
what they said when they signed up (a level of 1 to 7 for each x), all follow x. Answers to contacts follow z.

Sources, and what they say:
- CDNOW: repeat buying is Pareto/NBD with r .553, alpha 10.58 weeks, s .606, beta 11.67 weeks (Fader and Hardie, "A note
  on deriving the Pareto/NBD model", 2005): 2.7 purchases a year, half of new customers never buy again. Money is
  gamma-gamma with p 6.25, q 3.74, gamma 15.44 (Fader, Hardie and Lee, Journal of Marketing Research 2005): 35.2 a
  basket.
- Complete Journey, a grocer: 63 baskets a year and household (median 43), 29.5 a basket; half the lines at a discount.
- Hillstrom: an e-mail lifts conversion within two weeks by .3 to .7 points, visits by 4.5 to 7.7, spend by .4 to .8.
- Godfrey, Seiders and Voss (Journal of Marketing 75(4), 2011): about 3 calls or 4 e-mails or 10 letters a quarter are
  ideal, fewer when channels are mixed.
- Mailchimp's and Campaign Monitor's benchmarks: .1 to .3 % of e-mails end in an opt-out, 1 to 5 % in a click, 20 to
  40 % are opened; senders must keep spam complaints under .1 % (Google's and Yahoo's rules of 2024).
- Ascarza, Iyengar and Schleicher (Journal of Marketing Research 2016): encouraging customers can wake those who would
  have stayed: churn rose from 6 to 10 %. About an eighth here are such sleeping dogs.

The settings were placed before anything learned: an observer who reads every x without error, knows all equations and
each customer's rate, and takes each trait at its mean given x, without knowing who has left, comes to .93 of the
oracle's gain at `plain`, .91 at `usual` and .04 at `barely`.
"""

from typing import NamedTuple

from features.interactions import CHANNELS, PRESSURE
from features.workspace import WorkspaceError

_LOAD = tuple(PRESSURE[channel] for channel in CHANNELS)


class Parameters(NamedTuple):
    """Rates are per day, money is in the workspace's currency. Tuples of eight go by channel, in CHANNELS' order."""

    # How well behaviour shows traits: 0 not at all, 1 perfectly.
    visible: float

    # Purchases while alive: Poisson at a rate of one's own, gamma(r, alpha days) among customers: 7.3 a year on
    # average, between CDNOW and the grocer. Leaving: at a rate of one's own, gamma(s, beta days): 3 in 10 in a year.
    r: float = 0.9
    alpha: float = 45.0
    s: float = 2.0
    beta: float = 2000.0
    # Baskets: gamma(p, nu) with nu ~ gamma(q, gamma) of one's own (CDNOW). What is left of a basket after the goods:
    p: float = 6.25
    q: float = 3.74
    gamma: float = 15.44
    margin: float = 0.30
    # The market is `established`; the others join evenly over the first year.
    established: float = 0.8
    joining: float = 365.0
    # Season: buying swings by this around its mean, its peak on this day of the year, and so do weekends.
    swing: float = 0.25
    peak: float = 350.0
    weekend: float = 0.2

    # Visits without a purchase that can be told whose: this rate at the average buyer's, less than in proportion for
    # others; rows a visit. (Shops see some 40 sessions a purchase; most are of nobody they know.)
    visits: float = 0.10
    visits_power: float = 0.6
    looks: float = 1.4
    # Where one comes by oneself: weights of the channels before one's own preference.
    comes: tuple[float, ...] = (0.45, 0.15, 0.07, 0.01, 0.20, 0.05, 0.02, 0.05)
    preference: float = 0.5
    # Order confirmations that are read, and visits that look at the privacy settings, by tolerance; visits without
    # signing in, by how much one is a sleeping dog; baskets at a discount and looks at offers, by price sensitivity.
    reads: float = 0.5
    privacy: float = 0.06
    anonymous: float = 0.25
    deals: float = 0.35

    # Something goes wrong (.8 a year), which adds this much dissatisfaction, plus more by service sensitivity. It
    # halves in `forget` days, scales buying by exp(-sulk x dissatisfaction) and leaving by 1 + (flee + more by
    # sensitivity) x dissatisfaction.
    incidents: float = 0.0022
    shock: float = 0.4
    shock_sensitive: float = 1.2
    forget: float = 30.0
    sulk: float = 0.35
    flee: float = 0.5
    flee_sensitive: float = 2.0
    # Of incidents, the share that becomes a case; days until it is closed; surveys, and what they answer when content.
    told: float = 0.7
    solving: float = 6.0
    surveys: float = 0.004
    content: float = 0.85
    # Leavers who say so (contract cancelled, account closed); the others just never come back.
    says_goodbye: float = 0.2

    # A contact's load on the channel, in shares of what a quarter ideally bears (1 / ideal level; Godfrey and others
    # for phone and e-mail, the contract's assumption for the rest). Loads fade with a mean life of a quarter, so that
    # the ideal number a quarter, evenly spaced, holds a load of 1. Channels in use together weigh `mixing` times their
    # products more. Tolerance is lognormal with this spread, 1 on average.
    load: tuple[float, ...] = _LOAD
    memory: float = 91.3
    mixing: float = 0.5
    tolerance: float = 0.35

    # What a contact does: it adds purchases that would not have been made (see actions.py), spread over days that halve
    # every `wears_off`; scaled by the channel's reach and one's preference for it, by the chance not to buy within
    # `soon` days anyway, and by 1 - load / (2 tolerance), never below 0.
    wears_off: float = 3.0
    reach: tuple[float, ...] = (0.5, 0.5, 0.5, 1.6, 0.9, 1.0, 1.2, 0.15)
    soon: float = 14.0
    # Opened (e-mail) and clicked, at no load; both shrink with exp(-load / tolerance): pressure ends in ignoring.
    opens: float = 0.30
    clicks: tuple[float, ...] = (0.03, 0.03, 0.01, 0.10, 0.04, 0.03, 0.08, 0.004)
    # A voucher is good for this many days, for one basket; who is price-sensitive remembers to use it.
    voucher: float = 14.0

    # What it costs: sleeping dogs (this share; the edge is blurred) resent every contact by `resented`, anybody what is
    # beyond `bears` times the load that they tolerate, by channel.
    dogs: float = 0.12
    blur: float = 0.25
    resented: float = 0.15
    annoyed: float = 0.25
    bears: float = 1.5
    intrusive: tuple[float, ...] = (0.5, 1.0, 0.4, 2.0, 1.0, 1.0, 1.2, 0.1)
    # Opting out of the channel at no load; times (1 + 2 for a dog) x (1 + steep x (load / tolerance)^2). Complaining:
    # a share of that, which adds dissatisfaction and closes the channel too.
    opts_out: tuple[float, ...] = (0.0005, 0.002, 0.001, 0.006, 0.003, 0.0012, 0.003, 0.0003)
    steep: float = 1.5
    complains: float = 0.125
    complaint: float = 0.5

    # The long run: a year after the last day played, money discounted by 10 % a year.
    horizon: float = 365.0
    discount: float = 0.10


#: Setting -> parameters. R^2 of a trait from behaviour is at most .98, .94 and .25.
SETTINGS = {
    "plain": Parameters(visible=0.99),
    "usual": Parameters(visible=0.97),
    "barely": Parameters(visible=0.50),
}


def setting(name: str) -> Parameters:
    """The parameters of a setting. Raises WorkspaceError on an unknown one."""
    if name not in SETTINGS:
        raise WorkspaceError(f"there is no setting {name!r} of the market; the settings are {', '.join(SETTINGS)}")
    return SETTINGS[name]
