"""Curves as pictures that take the colours of the page around them."""

import io
import re
from itertools import cycle
from typing import TYPE_CHECKING, Any

from t2i.runtime.score.sets import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SERIES = "#010203", ("#010204", "#010205", "#010206", "#010207")
"""Written by the library where the page's own colours are to stand."""
MARKERS = "os^D"
INCHES = (5.6, 3.4)
# Names that nothing refers to, and that several charts of a page would share; and what a page of
# HTML knows without being told.
_NEEDLESS = re.compile(r' id="[A-Za-z.\d]+_\d+"| xmlns(?::xlink)?="[^"]+"')


def drawn(curve: Curve) -> str:
    """A curve as SVG, to stand in a page that defines the colours `--series-1` to `--series-4`.

    Raises ImportError where the library is not installed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with rc_context(style(curve.title)):
        figure = Figure(figsize=INCHES, layout="constrained")
        axes = figure.add_subplot(xlabel=curve.x, ylabel=curve.y)
        for (name, points), colour, marker in zip(
            curve.lines.items(), cycle(SERIES), cycle(MARKERS), strict=False
        ):
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=colour, marker=marker, markersize=4, label=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
        axes.set_ylim(bottom=0)
        if len(curve.lines) > 1:
            axes.legend(frameon=False)
        return svg(figure)


def style(title: str) -> dict[Any, Any]:
    """What figures are drawn in: letters stay letters, to be read aloud and searched; the same
    figure is the same text."""
    found = {"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 11}
    found |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK)
    return found | dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), INK)


def svg(figure: "Figure") -> str:
    """A figure that was drawn in `INK` and `SERIES`, in the colours of the page."""
    data = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(data, format="svg", transparent=True, metadata=nothing)
    text = data.getvalue()
    text = _NEEDLESS.sub("", text[text.index("<svg") :]).replace(INK, "currentColor")
    for number, colour in enumerate(SERIES, 1):
        text = text.replace(colour, f"var(--series-{number})")
    return text
