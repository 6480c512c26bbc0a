"""What `t2i-search` does with an index."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import PictureError, TextError, UsageError
from t2i.runtime.matching import BUNDLE, Matcher, unit
from t2i.runtime.score.features import CaptionReader
from t2i.runtime.search import Changes, Index, Update, refuse_other

NAMED = 10  # broken pictures


@dataclass(frozen=True)
class Request:
    """The command line, once it is parsed."""

    index: Path
    text: str | None
    folder: Path | None
    model: str | None
    top: int
    strict: bool
    device: str
    threads: int | None
    batch_size: int
    as_json: bool


def search(request: Request) -> None:
    """Bring the index up to date where that is asked, then search it.

    Raises:
        PictureError: some pictures could not be read; the others were searched.
    """
    if request.text is None and request.folder is None:
        raise UsageError(
            "say what to find, or which folder to look at",
            hint=f't2i-search {request.index} "red bird", or --folder PICTURES',
        )
    if request.text is not None and not request.text.strip():
        raise TextError("there are no words to search for", hint='such as: "red bird"')
    changes = _update(request) if request.folder else None
    if request.text is not None:
        _find(request, request.text)
    if changes and changes.broken:
        total = changes.pictures + len(changes.broken)
        raise PictureError(
            f"{len(changes.broken):,} of {total:,} pictures could not be read",
            hint="the others are in the index; see what is said of them above",
        )


def _update(request: Request) -> Changes:
    assert request.folder, "asked by the caller"
    model = request.model
    if model is None and request.index.exists():
        model = Index(request.index).header.model
    matcher = Matcher.load(model or BUNDLE, device=request.device, threads=request.threads)
    changes = Update(request.index, request.folder, matcher, request.batch_size).run()
    for problem in islice(changes.broken, NAMED):
        terminal.warn(problem)
    told = f"{changes.pictures:,} pictures, {changes.seen:,} new or changed, {changes.gone:,} gone"
    if request.text is None and not request.as_json:
        next_command = f't2i-search {request.index} "a red bird"'
        terminal.report(f"wrote {request.index} ({told})", next=next_command)
    else:
        terminal.say(f"{request.index}: {told}")
    return changes


def _find(request: Request, text: str) -> None:
    index = Index(request.index)
    model = request.model or index.header.model
    bundle = Bundle.load(places.find(model))
    refuse_other(index, request.index, bundle.name, bundle.graph("image").sha256)
    reader = CaptionReader(bundle, threads=request.threads, strict=request.strict)
    (direction,) = unit(reader.sentences([text]))
    for hit in index.search(direction, request.top):
        if request.as_json:
            terminal.print_json({"file": str(hit.file), "cosine": round(hit.cosine, 6)})
        else:
            terminal.report(f"{hit.cosine:.3f}  {hit.file}")
