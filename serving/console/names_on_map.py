"""Names beside the points of a map, so that none lies on another."""

from collections.abc import Sequence


def axis_range(values: Sequence[float]) -> list[float]:
    """The range of an axis with room beside the outermost points."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.12 * (high - low) or 0.1
    return [low - room, high + room]


#: Of a map of about 560 by 360 pixels, the smallest: the width of a letter, the height of a line, and half a point.
LETTER, ROW, HALF = 0.012, 0.05, 0.02


def name_places(
    points: Sequence[tuple[str, float, float]], x_range: Sequence[float], y_range: Sequence[float]
) -> list[str]:
    """Where each (name, x, y) has its name without lying on another name or point, as Plotly calls it; else empty."""
    spots = [
        ((x - x_range[0]) / (x_range[1] - x_range[0]), (y - y_range[0]) / (y_range[1] - y_range[0]))
        for _, x, y in points
    ]
    taken = [(x - HALF, y - ROW / 2, x + HALF, y + ROW / 2) for x, y in spots]
    places = []
    for k, ((title, _, _), (x, y)) in enumerate(zip(points, spots, strict=True)):
        wide = LETTER * len(title)
        boxes = {
            "top center": (x - wide / 2, y + ROW / 2, x + wide / 2, y + 1.5 * ROW),
            "bottom center": (x - wide / 2, y - 1.5 * ROW, x + wide / 2, y - ROW / 2),
            "middle right": (x + HALF, y - ROW / 2, x + HALF + wide, y + ROW / 2),
            "middle left": (x - HALF - wide, y - ROW / 2, x - HALF, y + ROW / 2),
        }
        others = [box for j, box in enumerate(taken) if j != k]
        free = (
            name for name, box in boxes.items()
            if box[0] >= 0 and box[2] <= 1 and not any(_meet(box, other) for other in others)
        )  # fmt: skip
        place = next(free, "")
        places.append(place)
        if place:
            taken.append(boxes[place])
    return places


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
