"""How `t2i-score` tells a result: a line, and a table where it has parts."""

from t2i.runtime import terminal
from t2i.runtime.records import encode
from t2i.runtime.score.protocol import Part, Result

PARTS = ("what is said", "seen", "95 %", "of")


def tell(result: Result, *, as_json: bool) -> None:
    """To stdout."""
    if as_json:
        terminal.print_json(encode(result))
        return
    spread = "" if result.spread is None else f" ± {_digits(result.spread)}"
    interval = ""
    if result.interval:
        low, high = result.interval
        interval = f" ({_digits(low)} … {_digits(high)})"
    unit = f" {result.unit}" if result.unit else ""
    terminal.report(f"{result.called} {_digits(result.value)}{spread}{interval}{unit}")
    if len(result.parts) == 1:
        (part,) = result.parts
        terminal.report(f"{part.name} {_digits(part.value)}")
    elif result.parts:
        rendered = any(part.rendered is not None for part in result.parts)
        columns = (*PARTS, "rendered pictures") if rendered else PARTS
        terminal.table(columns, [_row(part)[: len(columns)] for part in result.parts])


def _row(part: Part) -> tuple[str, str, str, int, str]:
    between = " … ".join(map(_percent, part.interval or ()))
    rendered = "" if part.rendered is None else _percent(part.rendered)
    return part.name, _percent(part.value), between, part.count, rendered


def _digits(value: float) -> str:
    """Six that count."""
    return f"{value:#.6g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
