"""Every error a user can cause, each with a hint that says what to do.

T2IError                exit status 1
├── UsageError          2: the command itself is wrong (a bad flag value, an unknown name)
├── BundleError         a bundle is missing, damaged, or newer than this program
├── TextError           a caption with nothing in it that can be drawn
├── DeviceError         the asked device cannot be used
├── BusyError           more waits to be drawn than there is room for
├── PictureError        a picture cannot be read or written
├── DataError           a data set is not what its layout promises
├── TrainingError       a run cannot go on: a loss that is not finite, a damaged checkpoint
├── ExportError         a graph differs from PyTorch, or weights do not fit
└── ScoreError          a metric cannot be computed from what was given
"""

import functools
from collections.abc import Iterable
from difflib import get_close_matches


class T2IError(Exception):
    """What happened, and in `hint` what to do about it."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Other processes must be able to send one here."""
        return functools.partial(type(self), hint=self.hint), self.args


class UsageError(T2IError):
    exit_status = 2


class BundleError(T2IError):
    pass


class TextError(T2IError):
    pass


class DeviceError(T2IError):
    pass


class BusyError(T2IError):
    pass


class PictureError(T2IError):
    pass


class DataError(T2IError):
    pass


class TrainingError(T2IError):
    pass


class ExportError(T2IError):
    pass


class ScoreError(T2IError):
    pass


CLOSE = 0.65
"""From which similarity on (difflib's) a word is worth naming: 'rde' is to 'red', not 'rose' to
'turquoise'."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, else all of them."""
    known = sorted(known)
    if close := get_close_matches(wrong[:80], known, n=1, cutoff=CLOSE):
        return f"did you mean {close[0]!r}?"
    return f"known are: {', '.join(known)}" if known else "none is known here yet"
