"""Are customers who were contacted a lot lately less likely to answer? Described, for nobody drew who was contacted."""

import numpy as np

from training.fatigue import fading
from training.fatigue.curve import bands
from training.fatigue.harm import Pressure
from training.reports.pressure import words
from training.reports.pressure.artefact import Band, Response
from training.reports.pressure.estimates import share
from training.reports.pressure.log import Log


def response(log: Log, weighed: Pressure, days: int) -> Response:
    """Contacts by the pressure just before them; only those whose `days` for an answer are over."""
    before = standing(log, weighed, log.who, log.at)
    known, band = log.answered >= 0, bands(before)
    found = []
    for place, name in enumerate(words.BANDS):
        rows = known & (band == place)
        hit = log.answered[rows] == 1
        found.append(
            Band(name=name, contacts=int(rows.sum()), answered=int(hit.sum()), share=share(hit, log.who[rows]))
        )
    return Response(days=days, bands=found, sentence=words.response(found, days))


def standing(log: Log, weighed: Pressure, who: np.ndarray, when: np.ndarray) -> np.ndarray:
    """float64[n]: the pressure that customers `who` (in order of person and time) were under, in shares of what is
    tolerable."""
    weights = weighed.weights[log.channel].astype(np.float64)
    return np.asarray(fading.before(log.who, log.at, weights, who, when, float(weighed.half_life)))
