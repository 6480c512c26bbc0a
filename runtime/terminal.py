"""What commands say: results to stdout, everything else to stderr.

Commands start sooner without rich, so it is imported only when a bar is really shown.
"""

import errno
import json
import math
import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from time import monotonic
from typing import Any, Protocol, TextIO

from t2i.runtime.errors import T2IError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
STOPPED = 130  # as shells report what ctrl-C ended
SOON_SECONDS = 1.0
RED, YELLOW, CYAN = 31, 33, 36
# Captions and bundles are other people's text: they must not steer the terminal.
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in b"\t\n"
}


@contextmanager
def explaining_errors() -> Iterator[None]:
    """Turn a user's errors into their message, their hint and an exit status.

    What is a mistake of ours keeps its traceback.
    """
    # Of pictures that are too large we say so ourselves.
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
    try:
        yield
    except T2IError as error:
        _explain(str(error), error.hint)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(STOPPED)
    except BrokenPipeError:  # whoever read our output has seen enough
        _leave_stdout()
        sys.exit(1)
    except OSError as error:
        if error.errno is None:
            raise
        if error.filename is None:
            _leave_stdout()
        where = f"{error.filename}: " if error.filename else ""
        full = error.errno in FULL
        _explain(
            f"{where}{error.strerror}",
            "make room on the disk" if full else "check the path, and that you may use it",
        )
        sys.exit(1)


def say(text: str) -> None:
    """Something to know while the command works."""
    _write(text, sys.stderr)


def warn(text: str, hint: str | None = None) -> None:
    """Something that may surprise, though the command goes on."""
    _write(text, sys.stderr, ("warning:", YELLOW))
    if hint:
        _write(hint, sys.stderr, (" hint:", CYAN))


def report(text: str, next: str | None = None) -> None:
    """A result, and the command that people mostly want after it."""
    _result(text)
    if next:
        _result(next, ("next:", CYAN))


def print_json(record: Mapping[str, Any]) -> None:
    """One record on one line of stdout, for programs: ASCII, so that any encoding carries it.

    A value without bound, which JSON cannot hold as a number, is the string "inf".
    """
    bounded = {key: "inf" if value == math.inf else value for key, value in record.items()}
    _result(json.dumps(bounded, allow_nan=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under their headings on stdout; numbers stand at the right of their column."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    right = [all(isinstance(row[place], int) for row in rows) for place in range(len(columns))]
    for line in (columns, *cells):
        placed = [
            cell.rjust(width) if aligned else cell.ljust(width)
            for cell, width, aligned in zip(line, widths, right, strict=True)
        ]
        _result("  ".join(placed).rstrip())


def first_of(names: Collection[str], most: int) -> str:
    """So many of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(islice(names, most)) + more


class Bar(Protocol):
    """Shows how far something is."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """`n` more are done; `note` tells the latest, such as a loss."""


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Bar]:
    """Show progress on stderr: a bar on a terminal, else a line every tenth of the way."""
    if not _is_terminal(sys.stderr):
        yield _Lines(what, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        # Results stay where they were sent; on a terminal they are written above the bar.
        redirect_stdout=_is_terminal(sys.stdout),
    )
    with shown:
        yield _Shown(shown, shown.add_task(what, total=total, note=""))


@dataclass
class _Shown:
    """A bar of rich."""

    bar: Any
    task: Any

    def advance(self, n: int = 1, note: str = "") -> None:
        self.bar.update(self.task, advance=n, note=note.translate(_CONTROLS))


@dataclass
class _Lines:
    """Lines in a log, none for what is soon over: ten, or where the end is unknown ever fewer."""

    what: str
    total: int | None
    done: int = 0
    said: int = 0
    since: float = field(default_factory=monotonic)

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n
        due = 2 * self.said if self.total is None else self.said + self.total / 10
        last = self.done == self.total and self.said > 0
        if last or (self.done >= due and monotonic() > self.since + SOON_SECONDS):
            of = left = ""
            if self.total is not None:
                of = f" of {self.total:,}"
                left = f" · {self._left(self.total)} left" if self.done < self.total else ""
            self.said, self.since = self.done, monotonic()
            say(f"{self.what}: {self.done:,}{of}{left}{f' · {note}' if note else ''}")

    def _left(self, total: int) -> timedelta:
        """How long the rest takes at the pace since the last line: what was remembered was fast."""
        pace = (monotonic() - self.since) / (self.done - self.said)
        return timedelta(seconds=round(pace * (total - self.done)))


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).translate(_CONTROLS)


def _explain(message: str, hint: str) -> None:
    _write(message, sys.stderr, ("error:", RED))
    _write(hint, sys.stderr, (" hint:", CYAN))


def _result(text: str, head: tuple[str, int] | None = None) -> None:
    """What was asked for must arrive; remarks may get lost."""
    if sys.stdout is None:
        raise T2IError("standard output is closed", hint="send it to a file, or to /dev/null")
    _write(text, sys.stdout, head)


def _write(text: str, stream: TextIO | None, head: tuple[str, int] | None = None) -> None:
    if stream is None:  # it was closed before we started
        return
    text = text.translate(_CONTROLS)
    if head:
        word, colour = head
        coloured = _is_terminal(stream) and not os.environ.get("NO_COLOR")
        text = f"\033[{colour}m{word}\033[0m {text}" if coloured else f"{word} {text}"
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _leave_stdout() -> None:
    """Python would try once more to write what stdout still holds, and complain."""
    with suppress(OSError, AttributeError):
        stdout = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
