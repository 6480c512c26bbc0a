"""`log.jsonl`: a line every few steps."""

import json
from dataclasses import dataclass
from pathlib import Path

from t2i.runtime.records import encode
from t2i.train.files import write_whole


@dataclass(frozen=True)
class Line:
    """What one line says."""

    step: int
    """Steps done."""
    terms: dict[str, float]
    """Losses of that step: `PLAYER.TERM`."""
    rates: dict[str, float]
    """Learning rate of each player."""
    pictures_per_s: float
    seconds: float
    """Time trained so far, interruptions left out."""
    processor_seconds: float
    """Time of processor cores, all together; what else a machine does adds nothing."""


class Log:
    """Appends to a log; begins by dropping the lines after a step, which will come again."""

    def __init__(self, path: Path, after: int) -> None:
        self.path = path
        if path.exists():
            write_whole(path, b"".join(lines_until(path.read_bytes(), after)))

    def write(self, line: Line) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(encode(line)) + "\n")


def lines_until(data: bytes, step: int) -> list[bytes]:
    """The whole lines up to a step; a line that was cut while being written is none."""
    kept = []
    for line in data.splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > step or not line.endswith(b"\n"):
                break
        except (ValueError, KeyError, TypeError):
            break
        kept.append(line)
    return kept
