"""Charts as plain Plotly dicts, without a colour or a format that the reader decides.

Colours are roles ("@accent", "@good/30" for 30% of it) that charts.js looks up in the stylesheet, so that dark mode and
paper work; an axis says the `kind` of its values (`blocks.Kind`) and the renderer puts the reader's format there.
Where a point leads is its `customdata`. Names from data are escaped by the renderer, never written into a template.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serving.console.names_on_map import axis_range, name_places

Figure = dict[str, Any]

#: Colours of series in order; the first is the one to look at.
SERIES = tuple(f"series-{k}" for k in range(1, 9))
_LINE_HEIGHT = 54


@dataclass(frozen=True)
class Span:
    """One row of `intervals`: a value between two ends, `outer` the ends of a wider interval (always valid)."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    role: str = "accent"
    outer: tuple[float, float] | None = None
    href: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of `lines`; `low` and `high` are a band around it. None leaves a gap."""

    name: str
    x: Sequence[Any]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    role: str | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Bars:
    """One colour of `bars`, with one value a category."""

    name: str
    values: Sequence[float | None]
    role: str | None = None
    hrefs: Sequence[str | None] | None = None
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


@dataclass(frozen=True)
class Node:
    """One box of `sankey`; `layer` 0 is the leftmost column."""

    name: str
    layer: int
    role: str = "series-1"
    href: str | None = None


@dataclass(frozen=True)
class Flow:
    """So many went from node number `source` to node number `target`."""

    source: int
    target: int
    value: float
    role: str = "muted"
    href: str | None = None


@dataclass(frozen=True)
class Point:
    name: str
    x: float
    y: float
    size: float = 1.0
    role: str = "accent"
    href: str | None = None


def intervals(rows: Sequence[Span], kind: str, title: str = "", reference: float = 0.0) -> Figure:
    """A forest plot: the first row on top, its name above its line, so that a phone has room for both."""
    places = list(range(len(rows)))[::-1]
    data: list[Figure] = []
    for place, row in zip(places, rows, strict=True):
        if row.outer is not None:
            data.append(_whisker([_drawn(end, kind) for end in row.outer], place, f"@{row.role}/35", 9))
        if row.low is not None and row.high is not None:
            data.append(_whisker([_drawn(end, kind) for end in (row.low, row.high)], place, f"@{row.role}", 3))
    shown = [(place, row) for place, row in zip(places, rows, strict=True) if row.value is not None]
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [_drawn(row.value, kind) for _, row in shown],
            "y": [place for place, _ in shown],
            "text": [row.name for _, row in shown],
            "customdata": [row.href for _, row in shown],
            "marker": {
                "size": 12,
                "color": [f"@{row.role}" for _, row in shown],
                "line": {"color": "@paper", "width": 2},
            },
            "hovertemplate": "%{text}: %{x}<extra></extra>",
        }
    )
    names = [
        {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": place,
            "yanchor": "bottom",
            "yshift": 8,
            "text": row.name if row.value is not None else f"{row.name}: too few to tell",
            "showarrow": False,
            "font": {"color": "@ink"},
        }
        for place, row in zip(places, rows, strict=True)
    ]
    at = reference * 100 if kind == "points" else reference
    zero = {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    return {
        "data": data,
        "layout": {
            "height": 60 + _LINE_HEIGHT * max(1, len(rows)),
            "xaxis": {"kind": kind, "title": {"text": title}, "zeroline": False, "range": _room(data, at)}
            | ({} if shown else {"visible": False}),
            "yaxis": {"visible": False, "range": [-0.5, len(rows) - 0.2], "fixedrange": True},
            "shapes": [zero | {"line": {"color": "@ink", "width": 1.5}, "layer": "below"}] if shown else [],
            "annotations": names,
            "showlegend": False,
        },
    }


def _room(data: Sequence[Figure], at: float) -> list[float]:
    """The range of an axis that holds every end, and what it is read against, with room beside them."""
    ends = [at, *(end for trace in data for end in trace["x"])]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0
    return [low - room, high + room]


def _drawn(value: float | None, kind: str) -> float | None:
    """A value where its axis has it: differences of shares are drawn in points."""
    return value * 100 if value is not None and kind == "points" else value


def _whisker(ends: Sequence[float | None], place: int, color: str, width: int) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(ends),
        "y": [place, place],
        "line": {"color": color, "width": width},
        "hovertemplate": "%{x}<extra></extra>",
    }


def lines(
    series: Sequence[Line],
    kind: str,
    x_kind: str = "day",
    title: str = "",
    x_title: str = "",
    reference: float | None = None,
    from_zero: bool = True,
) -> Figure:
    """Lines over days (or numbers), each with its band where it has one."""
    data: list[Figure] = []
    for k, one in enumerate(series):
        role = one.role or SERIES[k % len(SERIES)]
        if one.low is not None and one.high is not None:
            edge: Figure = {
                "type": "scatter",
                "mode": "lines",
                "x": list(one.x),
                "line": {"width": 0},
                "hoverinfo": "skip",
            }
            edge |= {"showlegend": False, "legendgroup": str(k)}
            data.append(edge | {"y": [_drawn(end, kind) for end in one.low]})
            data.append(
                edge | {"y": [_drawn(end, kind) for end in one.high], "fill": "tonexty", "fillcolor": f"@{role}/18"}
            )
        data.append(
            {
                "type": "scatter",
                "mode": "lines" if len(one.x) > 40 else "lines+markers",
                "name": one.name,
                "legendgroup": str(k),
                "x": list(one.x),
                "y": [_drawn(value, kind) for value in one.y],
                "line": {"color": f"@{role}", "width": 2.5, "dash": "dot" if one.dashed else "solid"},
                "marker": {"size": 6, "color": f"@{role}"},
                "hovertemplate": "%{y}<extra>%{fullData.name}</extra>",
            }
        )
    shapes = []
    if reference is not None:
        at = _drawn(reference, kind)
        level = {"type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": at, "y1": at}
        shapes.append(level | {"line": {"color": "@quiet", "width": 1, "dash": "dash"}})
    return {
        "data": data,
        "layout": {
            "height": 340,
            "hovermode": "x unified",
            "xaxis": {"kind": x_kind, "title": {"text": x_title}},
            "yaxis": {"kind": kind, "title": {"text": title}, "rangemode": "tozero" if from_zero else "normal"},
            "shapes": shapes,
            "showlegend": len(series) > 1,
        },
    }


def bars(
    series: Sequence[Bars],
    categories: Sequence[Any],
    kind: str,
    stacked: bool = False,
    horizontal: bool = False,
    title: str = "",
    category_kind: str = "text",
    category_title: str = "",
) -> Figure:
    """Bars a category; lying ones have their categories from the top down."""
    data = []
    for k, one in enumerate(series):
        role = one.role or SERIES[k % len(SERIES)]
        trace = {
            "type": "bar",
            "name": one.name,
            "orientation": "h" if horizontal else "v",
            ("y" if horizontal else "x"): list(categories),
            ("x" if horizontal else "y"): [_drawn(value, kind) for value in one.values],
            "customdata": list(one.hrefs or [None] * len(categories)),
            "marker": {"color": f"@{role}"},
            "hovertemplate": ("%{y}: %{x}" if horizontal else "%{x}: %{y}") + "<extra>%{fullData.name}</extra>",
        }
        if one.low is not None and one.high is not None:
            trace["error_x" if horizontal else "error_y"] = _errors(one, kind)
        data.append(trace)
    values = {"kind": kind, "title": {"text": title}, "rangemode": "tozero"}
    names: Figure = {"kind": category_kind, "title": {"text": category_title}}
    if category_kind == "text":
        names["type"] = "category"
    if horizontal:
        names |= {"autorange": "reversed", "automargin": True, "dtick": 1}  # every bar has its name
    many = 1 if stacked else max(1, len(series))
    return {
        "data": data,
        "layout": {
            "height": 90 + len(categories) * (16 + 16 * many) if horizontal else 340,
            "barmode": "stack" if stacked else "group",
            "xaxis": values if horizontal else names,
            "yaxis": names if horizontal else values,
            "showlegend": len(series) > 1,
        },
    }


def _errors(one: Bars, kind: str) -> Figure:
    """Whiskers from a bar's end to both ends of its interval."""
    columns = (one.values, one.low or (), one.high or ())
    ends = list(zip(*([_drawn(value, kind) for value in column] for column in columns), strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value if value is not None and high is not None else None for value, _, high in ends],
        "arrayminus": [value - low if value is not None and low is not None else None for value, low, _ in ends],
        "color": "@ink",
        "thickness": 1.5,
        "width": 4,
    }


def heatmap(
    x: Sequence[Any],
    y: Sequence[Any],
    z: Sequence[Sequence[float | None]],
    kind: str,
    x_title: str = "",
    y_title: str = "",
) -> Figure:
    """Darker is more; row k of `z` belongs to y[k], the first on top."""
    return {
        "data": [
            {
                "type": "heatmap",
                "x": [str(one) for one in x],
                "y": [str(one) for one in y],
                "z": [list(row) for row in z],
                "colorscale": [[0.0, "@heat-0"], [0.5, "@heat-1"], [1.0, "@heat-2"]],
                "colorbar": {"kind": kind, "thickness": 12, "outlinewidth": 0},
                "xgap": 1,
                "ygap": 1,
                "hovertemplate": "%{y}, %{x}: %{z}<extra></extra>",
            }
        ],
        "layout": {
            "height": 110 + 30 * len(y),
            "xaxis": {"type": "category", "title": {"text": x_title}, "showgrid": False},
            "yaxis": {"type": "category", "title": {"text": y_title}, "autorange": "reversed", "showgrid": False},
        },
    }


def sankey(nodes: Sequence[Node], flows: Sequence[Flow], kind: str = "count") -> Figure:
    """Who went from where to where, layer by layer; a click on a flow or box follows its href."""
    layers = max((node.layer for node in nodes), default=0)
    tallest = max((sum(node.layer == layer for node in nodes) for layer in range(layers + 1)), default=1)
    return {
        "data": [
            {
                "type": "sankey",
                "arrangement": "snap",
                "kind": kind,
                "node": {
                    "label": [node.name for node in nodes],
                    "color": [f"@{node.role}" for node in nodes],
                    "customdata": [node.href for node in nodes],
                    "pad": 14,
                    "thickness": 14,
                    "line": {"width": 0},
                    "hovertemplate": "%{label}: %{value}<extra></extra>",
                },
                "link": {
                    "source": [flow.source for flow in flows],
                    "target": [flow.target for flow in flows],
                    "value": [flow.value for flow in flows],
                    "color": [f"@{flow.role}/40" for flow in flows],
                    "customdata": [flow.href for flow in flows],
                    "hovertemplate": "%{source.label} to %{target.label}: %{value}<extra></extra>",
                },
            }
        ],
        "layout": {"height": max(360, 80 + 44 * tallest), "least_width": 140 * (layers + 1)},
    }


def scatter(
    points: Sequence[Point],
    x_kind: str,
    y_kind: str,
    x_title: str,
    y_title: str,
    cross: tuple[float, float] | None = None,
    quadrants: tuple[str, str, str, str] | None = None,
) -> Figure:
    """A labelled map; `cross` parts it, `quadrants` names its corners: top left and right, bottom left and right.

    A point in a crowd, whose name would lie on another's, tells it when it is pointed at.
    """
    most = max((point.size for point in points), default=1.0) or 1.0
    x_range, y_range = axis_range([point.x for point in points]), axis_range([point.y for point in points])
    places = name_places([(point.name, point.x, point.y) for point in points], x_range, y_range)
    layout: Figure = {
        "height": 460,
        "least_width": 640,
        "xaxis": {"kind": x_kind, "title": {"text": x_title}, "zeroline": False, "range": x_range},
        "yaxis": {"kind": y_kind, "title": {"text": y_title}, "zeroline": False, "range": y_range},
        "showlegend": False,
    }
    if cross is not None:
        line = {"type": "line", "line": {"color": "@quiet", "width": 1, "dash": "dash"}, "layer": "below"}
        layout["shapes"] = [
            line | {"xref": "x", "yref": "paper", "x0": cross[0], "x1": cross[0], "y0": 0, "y1": 1},
            line | {"xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": cross[1], "y1": cross[1]},
        ]
    if quadrants is not None:
        corners = [(0, 1), (1, 1), (0, 0), (1, 0)]
        layout["annotations"] = [
            {
                "xref": "paper",
                "yref": "paper",
                "x": x,
                "y": y,
                "xanchor": "left" if x == 0 else "right",
                "yanchor": "top" if y == 1 else "bottom",
                "text": words,
                "showarrow": False,
                "font": {"color": "@quiet"},
            }
            for (x, y), words in zip(corners, quadrants, strict=True)
        ]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers+text",
                "x": [point.x for point in points],
                "y": [point.y for point in points],
                "text": [point.name if place else "" for point, place in zip(points, places, strict=True)],
                "hovertext": [point.name for point in points],
                "textposition": [place or "top center" for place in places],
                "customdata": [point.href for point in points],
                "marker": {
                    "size": [8 + 18 * (point.size / most) ** 0.5 for point in points],
                    "color": [f"@{point.role}" for point in points],
                    "line": {"color": "@paper", "width": 1.5},
                },
                "hovertemplate": "%{hovertext}: %{x}, %{y}<extra></extra>",
            }
        ],
        "layout": layout,
    }
