"""What `t2i-classify` does with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from t2i.runtime import terminal
from t2i.runtime.classify import TEMPLATES, Learnt, ZeroShot, look, read_labels
from t2i.runtime.errors import PictureError, UsageError
from t2i.runtime.matching import Matcher, read, unit
from t2i.runtime.probe import Numbers
from t2i.runtime.score.stored import pictures_in


@dataclass(frozen=True)
class Request:
    """The command line, once it is parsed."""

    pictures: tuple[Path, ...]
    """Files and folders."""
    labels: Path | None
    templates: tuple[str, ...]
    examples: Path | None
    model: str
    top: int
    strict: bool
    device: str
    threads: int | None
    as_json: bool


def classify(request: Request) -> None:
    """Tell of each picture what it most likely shows.

    Raises:
        PictureError: some could not be read; the others were classified.
    """
    if (request.labels is None) == (request.examples is None):
        raise UsageError(
            "say what the pictures may show: labels, or examples",
            hint="--labels FILE with a label a line, or --examples FOLDER with a folder a class",
        )
    if request.templates and request.examples:
        raise UsageError("--template is for --labels", hint="leave it out")
    labels = read_labels(request.labels) if request.labels else ()
    files = _files(request.pictures)
    matcher = Matcher.load(
        request.model, device=request.device, threads=request.threads, strict=request.strict
    )
    if request.examples:
        classes: ZeroShot | Learnt = Learnt.of(matcher, request.examples)
    else:
        classes = ZeroShot.of(matcher, labels, request.templates or TEMPLATES)
    broken = 0
    for file in files:
        try:
            pixels = read(file)
        except PictureError as error:
            if len(files) == 1:
                raise
            terminal.warn(str(error))
            broken += 1
            continue
        seen = look(matcher, pixels)[None]
        given = unit(seen) if isinstance(classes, ZeroShot) else seen
        _tell(request, file, classes.labels, classes.probabilities(given)[0])
    if broken:
        raise PictureError(
            f"{broken:,} of {len(files):,} pictures could not be read",
            hint="the others are classified; see what is said of them above",
        )


def _files(paths: Sequence[Path]) -> list[Path]:
    """The pictures asked for, those of folders in the order of their names."""
    return [file for path in paths for file in (pictures_in(path) if path.is_dir() else (path,))]


def _tell(request: Request, file: Path, labels: Sequence[str], shares: Numbers) -> None:
    best = np.argsort(-shares, kind="stable")[: request.top].tolist()
    if request.as_json:
        found = [
            {"label": labels[place], "probability": round(float(shares[place]), 6)}
            for place in best
        ]
        terminal.print_json({"file": str(file), "labels": found})
    else:
        said = ", ".join(f"{labels[place]} {100 * shares[place]:.1f} %" for place in best)
        terminal.report(f"{file}: {said}")
