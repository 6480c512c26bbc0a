"""Curves as pictures that take the colours of the page around them."""

import io
import re
from itertools import cycle
from typing import Any

from t2i.runtime.score.sets import Curve

INK, SERIES = "#010203", ("#010204", "#010205", "#010206", "#010207")
"""Written by the library where the page's own colours are to stand."""
MARKERS = "os^D"
INCHES = (5.6, 3.4)
# Names that nothing refers to, and that several charts of a page would share.
_OWN_NAMES = re.compile(r' id="[A-Za-z.\d]+_\d+"')


def drawn(curve: Curve) -> str:
    """A curve as SVG, to stand in a page that defines the colours `--series-1` to `--series-4`.

    Raises ImportError where the library is not installed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    # Letters stay letters, to be read aloud and searched; the same curve is the same text.
    style: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": curve.title, "font.size": 11}
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK)
    style |= dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), INK)
    with rc_context(style):
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
        data = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(data, format="svg", transparent=True, metadata=nothing)
    svg = data.getvalue()
    svg = _OWN_NAMES.sub("", svg[svg.index("<svg") :]).replace(INK, "currentColor")
    for number, colour in enumerate(SERIES, 1):
        svg = svg.replace(colour, f"var(--series-{number})")
    return svg
