"""What moves the effect of a contact: by action, channel and customer, the columns that `added` has coefficients of."""

import numpy as np
from scipy.sparse import csr_array

from features.interactions import CHANNELS
from features.simulate.actions import ACTION_OF, ACTIONS, CHANNEL_OF
from training.market.logbook import SOON
from training.market.observed import DUES, KNOTS, SAID, Known, hats

#: Prior spread of slopes and of levels, in logarithms.
SLOPE, LEVEL = 0.5, 1.5
# Slopes that all actions share: by the channel first, then by the customer; then each action's own.
BY_CHANNEL, SHARED, ALIVE, LOAD, _OWN = 2, 9, 2, 3, 5


def shared_slice() -> slice:
    first = len(ACTIONS) + len(CHANNELS)
    return slice(first, first + SHARED)


def own_slice() -> slice:
    first = shared_slice().stop
    return slice(first, first + len(ACTIONS) * _OWN)


def due_slice() -> slice:
    first = own_slice().stop
    return slice(first, first + len(ACTIONS) * len(KNOTS))


def _likes(known: Known) -> np.ndarray:
    first = SAID["likes_web"]
    return known.said[:, first : first + len(CHANNELS)]


def _alike(known: Known, log_alive: np.ndarray) -> tuple[np.ndarray, ...]:
    """What moves the effects of all actions alike."""
    often, news = SOON * known.rate, known.said[:, SAID["news_appetite"]]
    private = known.said[:, SAID["privacy_concern"]]
    return often, np.log(often), log_alive, known.load, known.load * news, known.trouble, private


def _own(known: Known) -> tuple[np.ndarray, ...]:
    """What moves them each in its own way."""
    offers, service = known.said[:, SAID["offers_interest"]], known.said[:, SAID["service_expectation"]]
    return offers, offers**2, service, known.said[:, SAID["likes_store"]], known.trouble


def columns(known: Known, log_alive: np.ndarray, treatment: np.ndarray) -> csr_array:
    """The columns that `added` has coefficients of, sparse: levels of actions and channels, slopes, bends by due."""
    n, actions = len(treatment), len(ACTIONS)
    action, channel = ACTION_OF[treatment].astype(np.int32), CHANNEL_OF[treatment].astype(np.int32)
    row, ones, shared = np.arange(n), np.ones(n), shared_slice().start
    slopes = (_likes(known)[row, channel], known.share[row, channel], *_alike(known, log_alive))
    columns = [
        (action, ones),
        (actions + channel, ones),
        *((np.full(n, shared + k, np.int32), column) for k, column in enumerate(slopes)),
        *((own_slice().start + action * _OWN + k, column) for k, column in enumerate(_own(known))),
        *((due_slice().start + action * len(KNOTS) + k, bend) for k, bend in enumerate(hats(known.due, KNOTS).T)),
    ]
    data = np.stack([column for _, column in columns], axis=1).astype(np.float32)
    where = np.stack([place for place, _ in columns], axis=1).astype(np.int32)
    edges = np.arange(n + 1, dtype=np.int64) * len(columns)
    return csr_array((data.ravel(), where.ravel(), edges), shape=(n, due_slice().stop))


def lift(b: np.ndarray, known: Known, log_alive: np.ndarray, usual: bool = False) -> np.ndarray:
    """exp(x b) of every treatment, x the columns of `columns`, without writing them down."""
    actions, shared = len(ACTIONS), b[shared_slice()]
    alike = np.stack(_alike(known, log_alive), axis=1) @ shared[BY_CHANNEL:]
    own, due = b[own_slice()].reshape(actions, -1), b[due_slice()].reshape(actions, -1)
    bends = np.exp(hats(known.due, KNOTS) @ due.T)
    if usual:
        bends = np.exp(hats(np.log(DUES), KNOTS) @ due.T).mean(axis=0)
    acts = np.exp(b[:actions] + np.stack(_own(known), axis=1) @ own.T) * bends
    reaches = b[actions : actions + len(CHANNELS)] + shared[0] * _likes(known) + shared[1] * known.share
    return np.asarray(np.exp(alike)[:, None] * acts[:, ACTION_OF] * np.exp(reaches)[:, CHANNEL_OF])


def priors(width: int) -> np.ndarray:
    prior = np.full(width, SLOPE)
    prior[: len(ACTIONS)] = LEVEL
    prior[shared_slice()] = 1.0
    return prior
