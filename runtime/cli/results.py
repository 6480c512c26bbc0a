"""How `t2i-score` tells a result: a line, and a table where it has parts."""

from t2i.runtime import terminal
from t2i.runtime.records import encode
from t2i.runtime.score.protocol import Part, Result

PARTS = ("part", "share", "95 %", "of")
HEADS = {"attributes": ("what is said", "seen", *PARTS[2:])}
"""Of metrics whose parts have names of their own."""


def tell(result: Result, *, as_json: bool) -> None:
    """To stdout."""
    if as_json:
        terminal.print_json(encode(result))
        return
    spread = "" if result.spread is None else f" ± {result.spread:.4g}"
    interval = ""
    if result.interval:
        low, high = result.interval
        interval = f" ({low:.4f} … {high:.4f})"
    unit = f" {result.unit}" if result.unit else ""
    terminal.report(f"{result.metric} {result.value:.4f}{spread}{interval}{unit}")
    if len(result.parts) == 1:
        (part,) = result.parts
        terminal.report(f"{part.name} {part.value:.4f}")
    elif result.parts:
        rendered = any(part.rendered is not None for part in result.parts)
        heads = HEADS.get(result.metric, PARTS)
        columns = (*heads, "rendered pictures") if rendered else heads
        terminal.table(columns, [_row(part)[: len(columns)] for part in result.parts])


def _row(part: Part) -> tuple[str, str, str, int, str]:
    between = " … ".join(map(_percent, part.interval or ()))
    rendered = "" if part.rendered is None else _percent(part.rendered)
    return part.name, _percent(part.value), between, part.count, rendered


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
