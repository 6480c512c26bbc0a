"""How `t2i-score` tells a result: a line, and a table where it has parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError
from t2i.runtime.records import RecordError, encode, loads
from t2i.runtime.score.protocol import Part, Result, differences, digits

PARTS = ("part", "share", "95 %", "of")
HEADS = {"attributes": ("what is said", "seen", *PARTS[2:])}
"""Of metrics whose parts have names of their own."""


def tell(result: Result, *, as_json: bool) -> None:
    """To stdout."""
    if as_json:
        terminal.print_json(encode(result))
        return
    spread = "" if result.spread is None else f" ± {digits(result.spread)}"
    interval = ""
    if result.interval:
        low, high = result.interval
        interval = f" ({digits(low)} … {digits(high)})"
    unit = f" {result.unit}" if result.unit else ""
    terminal.report(f"{result.called} {digits(result.value)}{spread}{interval}{unit}")
    if len(result.parts) == 1:
        (part,) = result.parts
        terminal.report(f"{part.name} {digits(part.value)}")
    elif result.parts and not any(part.interval for part in result.parts):
        rows = [(part.name, digits(part.value), part.count) for part in result.parts]
        terminal.table(("part", "value", "of"), rows)
    elif result.parts:
        rendered = any(part.rendered is not None for part in result.parts)
        heads = HEADS.get(result.metric, PARTS)
        columns = (*heads, "rendered pictures") if rendered else heads
        terminal.table(columns, [_row(part)[: len(columns)] for part in result.parts])


def compare(results: Sequence[Result], path: Path) -> None:
    """Set results beside earlier ones, as --json printed them, and warn where nobody should.

    Raises:
        ScoreError: the file holds none.
    """
    earlier = read_results(path)
    for result in results:
        before = earlier.get(result.metric)
        if before is None:
            terminal.warn(f"{path} holds no {result.metric}")
            continue
        change = result.value - float(before["value"])
        terminal.report(
            f"{result.called} {digits(float(before['value']))} in {path.name}, {change:+#.6g} now"
        )
        protocol = encode(result.protocol)
        if apart := differences(before["protocol"], protocol):
            terminal.warn(
                f"{result.metric}: the protocols differ, so the numbers do not compare",
                hint="; ".join(apart),
            )


def read_results(path: Path) -> dict[str, Any]:
    """Records of `t2i-score --json` by metric.

    Raises:
        ScoreError: the file holds anything else.
    """
    try:
        records = [loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        found = {each["metric"]: each for each in records}
        for each in records:
            float(each["value"])
            differences(each["protocol"], each["protocol"])  # what compares with nothing is none
    except (OSError, RecordError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScoreError(
            f"{path} holds no results: {error}", hint="write into it what --json prints"
        ) from error
    return found


def _row(part: Part) -> tuple[str, str, str, int, str]:
    between = " … ".join(map(_percent, part.interval or ()))
    rendered = "" if part.rendered is None else _percent(part.rendered)
    return part.name, _percent(part.value), between, part.count, rendered


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
