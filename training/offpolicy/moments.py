"""Persons and instants as one number each, by which both can be searched at once."""

import numpy as np


def ranked(*moments: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """int64[n] of each (persons, instants): ordered by person, then by instant, and comparable with one another.

    By rank among all that are given: a person times a span in microseconds would not fit one number.
    """
    people, instants = (np.unique(np.concatenate([each[k] for each in moments])) for k in range(2))
    return [np.searchsorted(people, who) * len(instants) + np.searchsorted(instants, at) for who, at in moments]
