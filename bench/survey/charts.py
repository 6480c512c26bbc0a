"""Scores over the minutes of training, as pictures in the colours of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2i.runtime.score.charts import INK, SERIES, style, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]
LAST = 20
"""Minutes."""
LARGE, SMALL = (4.6, 3.9), (2.3, 1.75)
"""Inches."""
STEP = 0.048
"""Between the names of lines, of the height of a picture."""


@dataclass(frozen=True)
class Scale:
    """How a score is shown."""

    title: str
    percent: bool = False
    log: bool = False


@dataclass(frozen=True)
class Line:
    name: str
    points: Points
    series: int
    """Which of the page's colours, from 0."""


def together(scale: Scale, lines: Sequence[Line]) -> str:
    """All systems in one picture, each named where it ends."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(style(scale.title) | {"font.size": 9}):
        figure = Figure(figsize=LARGE, layout="constrained")
        axes = figure.add_subplot(xlabel="minutes of training")
        for line in lines:
            x, y = zip(*line.points, strict=True)
            axes.plot(x, y, color=SERIES[line.series], linewidth=1.4, marker="o", markersize=2.5)
        _dress(axes, scale)
        axes.set_xlim(0, LAST * 1.01)
        ends = {line.name: line.points[-1] for line in lines}
        colours = {line.name: SERIES[line.series] for line in lines}
        for name, height in _apart(axes, ends).items():
            axes.annotate(
                name,
                ends[name],
                xytext=(LAST * 1.08, height),
                fontsize=8,
                va="center",
                color=colours[name],
                arrowprops={"arrowstyle": "-", "color": colours[name], "lw": 0.5, "alpha": 0.5},
                annotation_clip=False,
            )
        return svg(figure)


def alone(scale: Scale, line: Line, others: Sequence[Points], baseline: float | None) -> str:
    """One system before all others, and what a baseline has."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(style(scale.title + line.name) | {"font.size": 8}):
        figure = Figure(figsize=SMALL, layout="constrained")
        axes = figure.add_subplot()
        gap = [(float("nan"), float("nan"))]
        x, y = zip(*[each for points in others for each in [*points, *gap]], strict=True)
        axes.plot(x, y, color=INK, alpha=0.18, linewidth=0.8)
        if baseline is not None:
            axes.axhline(baseline, color=INK, alpha=0.6, linewidth=0.8, linestyle=(0, (4, 3)))
        x, y = zip(*line.points, strict=True)
        axes.plot(x, y, color=SERIES[line.series], linewidth=2, marker="o", markersize=3.5)
        _dress(axes, scale)
        axes.set_xlim(0, LAST + 1)
        return svg(figure)


def _dress(axes: "Axes", scale: Scale) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xticks(range(0, LAST + 1, 5))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)
    if scale.log:
        axes.set_yscale("log")
        axes.set_yticks([50, 100, 200, 400, 800])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_ylim(bottom=0)
    if scale.percent:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def _apart(axes: "Axes", ends: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Where names stand so that none covers another: as near to their ends as that allows."""
    there = axes.transData + axes.transAxes.inverted()
    wanted = {name: float(there.transform(end)[1]) for name, end in ends.items()}
    order = sorted(wanted, key=lambda name: wanted[name])
    heights = [wanted[name] for name in order]
    for _ in range(500):  # pushes neighbours apart, a little more each time
        for i in range(len(heights) - 1):
            lack = max(0.0, STEP - (heights[i + 1] - heights[i]))
            heights[i] -= lack / 2
            heights[i + 1] += lack / 2
        heights[0], heights[-1] = max(heights[0], STEP / 2), min(heights[-1], 1.0)
    back = there.inverted()
    return {
        name: float(back.transform((0, height))[1])
        for name, height in zip(order, heights, strict=True)
    }
