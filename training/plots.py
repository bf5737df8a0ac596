"""Pictures for an MLflow run: calibration, gain, importances."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # never pyplot: a notebook's own backend stays as it is

SIZE = (6.0, 4.5)
BINS = 10


def calibration(y: np.ndarray, p: np.ndarray) -> Figure:
    """Observed rate against predicted probability, by tenths of the rows; normal 95 % intervals."""
    figure, axes = _canvas("Calibration on the test window", "predicted probability", "observed rate")
    predicted, observed, spread, _ = np.array(tenths(y, p)).T
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="perfect")
    axes.errorbar(predicted, observed, spread, marker="o", capsize=3, label="a tenth of the customers each")
    axes.legend()
    return figure


def tenths(y: np.ndarray, p: np.ndarray) -> list[tuple[float, float, float, int]]:
    """(mean prediction, observed rate, half-width of its normal 95 % interval, rows) by tenths of the rows."""
    parts = [rows for rows in np.array_split(np.argsort(p, kind="stable"), BINS) if len(rows)]
    rates = [float(y[rows].mean()) for rows in parts]
    return [
        (float(p[rows].mean()), rate, 1.96 * float(np.sqrt(rate * (1 - rate) / len(rows))), len(rows))
        for rows, rate in zip(parts, rates, strict=True)
    ]


def gain(y: np.ndarray, p: np.ndarray) -> Figure:
    """Share of all positives found among the highest scores."""
    figure, axes = _canvas("Gain on the test window", "share of rows, highest scores first", "share of positives found")
    found = np.concatenate([[0.0], np.cumsum(y[np.argsort(-p, kind="stable")]) / y.sum()])
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="at random")
    axes.plot(np.linspace(0, 1, len(found)), found, label="model")
    axes.legend()
    return figure


def importances(gains: Mapping[str, float], top: int = 25) -> Figure:
    """Share of the total split gain by feature."""
    figure, axes = _canvas("What the trees split on", "share of total gain", "")
    names: Sequence[str] = sorted(gains, key=lambda name: gains[name])[-top:]
    axes.barh(list(names), [gains[name] for name in names])
    figure.set_size_inches(8.0, 1.5 + 0.22 * len(names))
    return figure


def _canvas(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes
