"""What customers do by themselves: things go wrong, they look around, buy, and leave.

With D the dissatisfaction, B the boost that contacts left and `season` the day's factor, on each day while they stay
(buying and leaving as in Pareto/NBD: Schmittlein, Morrison and Colombo, Management Science 1987):

    purchases   ~ Poisson((rate * season + B) * exp(-sulk D))
    incidents   ~ Bernoulli(incidents), each adds `shock` to D;  D halves every `forget` days
    leaves      with probability 1 - exp(-leaving (1 + flee D)),  at the end of the day

A visit without a purchase comes at a rate of its own, on the channels they prefer.
"""

from math import cos, exp, log, pi, sqrt
from typing import Any

from features.kernel.jit import inlined
from features.simulate import events as ev
from features.simulate import randomness as rn
from features.simulate.parameters import Parameters

HOUR = 3600
WEB, STORE, SOCIAL, PHONE, MOBILE_APP, EMAIL, CHAT, ADVERTISING = range(8)
#: What a visit is on each channel, in CHANNELS' order.
LOOKS = (ev.PAGE_VIEW, ev.VISIT, ev.PAGE_VIEW, ev.CALL, ev.PAGE_VIEW, ev.EMAIL_OPEN, ev.MESSAGE, ev.AD_CLICK)
#: Where a purchase is made by who would come on that channel.
BUYS_ON = (WEB, STORE, WEB, PHONE, MOBILE_APP, WEB, WEB, WEB)


def season(p: Parameters, day: int, weekday: int) -> float:
    """The factor on buying: a swing over the year and livelier weekends, 1 on average. `day` counts from 1 January."""
    weekly = (1 + p.weekend) if weekday >= 5 else 1.0
    return (1 + p.swing * cos(2 * pi * (day - p.peak) / 365)) * weekly / (1 + 2 * p.weekend / 7)


@inlined
def comes_on(traits: Any, i: int, u: float) -> int:
    """The channel on which they come by themselves."""
    c = 0
    while c < 7 and u >= traits.comes[i, c]:
        c += 1
    return c


@inlined
def poisson(u: float, mean: float) -> int:
    """A Poisson number by inversion, at most 4; exp is only asked for where there may be one."""
    if u < 1.0 - mean:
        return 0
    n, chance = 0, exp(-mean)
    reached = chance
    while u >= reached and n < 4:
        n += 1
        chance *= mean / n
        reached += chance
    return n


@inlined
def service(p: Any, traits: Any, state: Any, i: int, day: int, key: Any, now: int, e: Any, k: int, number: int) -> int:
    """Incidents, the cases they become, and what surveys answer; how many rows that made."""
    rows = 0
    if rn.uniform(key, now + rn.INCIDENT) < p.incidents:
        state.dissatisfaction[i] += traits.shock[i]
        if state.case[i] == (1 << 30) and rn.uniform(key, now + rn.TELLS) < p.told:
            state.cases[i] += 1
            state.case[i] = day + 1 + int(-log(1.0 - rn.uniform(key, now + rn.SOLVING)) * p.solving)
            u = rn.uniform(key, now + rn.CASE_CHANNEL)
            kind = ev.COMPLAINT if u < 0.5 * traits.seen_service[i] else ev.CASE_OPENED
            channel = PHONE if u * 7 % 1 < 0.45 else (CHAT if u * 7 % 1 < 0.8 else EMAIL)
            ev.put(e, k, i, day, 11 * HOUR + int(u * HOUR), kind, channel, number)
            e.topic[k], e.case[k] = ev.DELIVERY if u * 3 % 1 < 0.6 else ev.ORDER, state.cases[i]
            rows = 1
    elif state.case[i] <= day:
        ev.put(e, k, i, day, 9 * HOUR + int(rn.uniform(key, now + rn.CLOCK) * HOUR), ev.CASE_CLOSED, PHONE, number)
        e.case[k] = state.cases[i]
        e.satisfaction[k] = _answer(p, traits, state, i, rn.uniform(key, now + rn.SURVEY))
        state.case[i] = 1 << 30
        rows = 1
    u = rn.uniform(key, now + rn.SURVEY)
    if u < p.surveys:
        ev.put(e, k + rows, i, day, 18 * HOUR + int(u / p.surveys * HOUR), ev.SURVEYED, EMAIL, number + rows)
        e.satisfaction[k + rows] = _answer(p, traits, state, i, u / p.surveys)
        rows += 1
    return rows


@inlined
def _answer(p: Any, traits: Any, state: Any, i: int, u: float) -> float:
    """Satisfaction 0..1: less the more that went wrong, in the words of who shows it."""
    felt = state.dissatisfaction[i] * (0.5 + traits.seen_service[i])
    return min(1.0, max(0.0, p.content - 0.3 * felt + 0.3 * (u - 0.5)))


@inlined
def look_around(p: Any, traits: Any, i: int, day: int, key: Any, now: int, e: Any, k: int, number: int) -> int:
    """A visit, with some chance; how many rows that made."""
    if rn.uniform(key, now + rn.VISIT) >= traits.visits[i]:
        return 0
    channel = comes_on(traits, i, rn.uniform(key, now + rn.WHERE))
    kind = LOOKS[channel]
    u, rows = rn.uniform(key, now + rn.LOOKS), 1
    more = 1.0 - 1.0 / p.looks
    while kind == ev.PAGE_VIEW and u < more and rows < 5:
        u /= more
        rows += 1
    begin = 8 * HOUR + int(rn.uniform(key, now + rn.CLOCK) * 14 * HOUR)
    signed_in = rn.uniform(key, now + rn.SIGNED_IN) >= p.anonymous * 2.0 * traits.seen_dog[i]
    u = rn.uniform(key, now + rn.TOPIC)
    for row in range(rows):
        ev.put(e, k + row, i, day, begin + 40 * row, kind, channel, number + row)
        e.topic[k + row] = _topic(p, traits, i, u, key, now)
        e.identified[k + row] = signed_in
        u = u * 97 % 1
        if row > 0 and u < 0.2:
            e.kind[k + row] = ev.ADD_TO_CART
    return rows


@inlined
def _topic(p: Any, traits: Any, i: int, u: float, key: Any, now: int) -> int:
    """What they look at: offers by price sensitivity, privacy by intolerance, else mostly their favourite category."""
    offers = p.deals * 2.0 * traits.seen_price[i]
    if u < offers:
        return ev.OFFERS
    if u < offers + p.privacy * 2.0 * (1.0 - traits.seen_tolerance[i]):
        return ev.PRIVACY
    v = rn.uniform(key, now + rn.CATEGORY)
    return 1 + (i % ev.CATEGORIES if v < 0.6 else int((v - 0.6) / 0.4 * ev.CATEGORIES))


@inlined
def buy(
    p: Any, traits: Any, state: Any, tally: Any, i: int, day: int, season: float, key: Any, now: int, e: Any, k: int,
    number: int,
) -> int:  # fmt: skip
    """Purchases of the day, what they bring in, and whether a contact may claim them; how many rows that made."""
    mean = traits.rate[i] * season + state.boost[i]
    if state.dissatisfaction[i] > 1e-4:
        mean *= exp(-p.sulk * state.dissatisfaction[i])
    joins = traits.joins[i] == day and day > 0
    bought = poisson(rn.uniform(key, now + rn.BUYS), mean) + (1 if joins else 0)
    rows = 0
    for n in range(bought):
        u, v = rn.uniform(key, now + rn.BASKET), rn.uniform(key, now + rn.BASKET_TOO)
        normal = sqrt(-2.0 * log(1.0 - u)) * cos(2 * pi * (v + 0.25 * n))
        cube = 1.0 - 1.0 / (9.0 * p.p) + normal / (3.0 * sqrt(p.p))  # gamma, by Wilson and Hilferty (PNAS 1931)
        basket = traits.basket[i] * max(0.05, cube * cube * cube)
        where = BUYS_ON[comes_on(traits, i, rn.uniform(key, now + rn.STORE_OR_WEB))]
        second = 12 * HOUR + int(u * 9 * HOUR) + n
        ev.put(e, k + rows, i, day, second, ev.PURCHASE, where, number + rows)
        e.value[k + rows] = basket
        e.topic[k + rows] = 1 + (i % ev.CATEGORIES if v < 0.6 else int((v - 0.6) / 0.4 * ev.CATEGORIES))
        if rn.uniform(key, now + rn.DEAL) < p.deals * 2.0 * traits.seen_price[i]:
            e.saved[k + rows] = 0.08 * basket
        purchase = k + rows
        rows += 1
        tally.margin[i] += basket * p.margin
        redeems = state.voucher[i] >= day
        if redeems:
            tally.margin[i] -= basket * state.off[i]
            e.value[purchase] = basket * (1.0 - state.off[i])
            e.saved[purchase] = basket * state.off[i]
            state.voucher[i] = -1
        if redeems or (state.clicked[i] and day - state.contacted[i] <= p.soon):
            ev.put(e, k + rows, i, day, second + 1, ev.ACCEPTED, where, number + rows)
            ev.tied(e, k + rows, state.treatment[i], state.contacted[i])
            state.clicked[i] = False
            rows += 1
    if bought:
        state.bought[i] = day
        if rn.uniform(key, now + rn.READS) < p.reads * 2.0 * traits.seen_tolerance[i]:
            ev.put(e, k + rows, i, day, 22 * HOUR + i % HOUR, ev.EMAIL_OPEN, EMAIL, number + rows)
            e.topic[k + rows] = ev.ORDER
            rows += 1
    return rows


@inlined
def leave(p: Any, traits: Any, state: Any, i: int, day: int, key: Any, now: int, e: Any, k: int, number: int) -> int:
    """Whether they leave at the end of the day; how many rows that made."""
    hazard = traits.leaving[i] * (1.0 + traits.flee[i] * state.dissatisfaction[i])
    if rn.uniform(key, now + rn.LEAVES) >= 1.0 - exp(-hazard):
        return 0
    state.gone[i] = day
    if rn.uniform(key, now + rn.GOODBYE) >= p.says_goodbye:
        return 0
    state.closed[i] = 255
    ev.put(e, k, i, day, 23 * HOUR, ev.ACCOUNT_CLOSED, WEB, number)
    return 1
