"""Trainings in a fraction of the time, for tests of what becomes of a model and not of how well it predicts."""

from contextlib import contextmanager

import pytest
from first_catalogue import FIRST

from training import model


@contextmanager
def few_trees(few_features=False):
    """Fewer rows, and trees that learn in bigger steps: early stopping then comes after a few.

    With `few_features` a workspace has but those of the first release: selecting among all takes as long as the trees.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.churn.TRAINING_ROWS", 3000)
        patched.setitem(model.PARAMETERS, "learning_rate", 0.3)
        if few_features:
            patched.setattr("features.catalogue.of", lambda _: FIRST)
        yield
