"""What `t2i-run` does with captions."""

from typing import TYPE_CHECKING

from t2i.runtime import batch, noise
from t2i.runtime.captions import Line
from t2i.runtime.cli import destinations, remarks
from t2i.runtime.cli.destinations import Work
from t2i.runtime.cli.request import Request, refuse_files_there
from t2i.runtime.decode import Opening
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import TextError, UsageError
from t2i.runtime.jobs import Job, read_jobs, read_way
from t2i.runtime.pictures import companions, read_picture

if TYPE_CHECKING:
    from t2i.runtime.matching import Matcher


def draw(request: Request) -> None:
    """Draw and save everything that can be drawn.

    Raises:
        TextError: a caption cannot be drawn. Where it stands in a file, the others are drawn first.
    """
    request.check()
    folder = request.folder()
    if folder:
        batch.refuse_what_is_there(folder, force=request.force, resume=request.resume)
    opening = _opening(request)
    painter = _painter(request, opening)
    outputs = _outputs(painter, request)
    noise.refuse_unknown(request.hold, painter.manifest.noise)
    if request.out and not folder and not request.force:
        beside = companions(request.out, destinations.endings(painter, outputs))
        refuse_files_there([request.out, *beside])
    if request.grid or request.animated:
        destinations.refuse_large_sheet(painter, request.written)
    remarks.introduce(painter, request.seed)
    if opening:
        remarks.tell_what_is_resized(painter, opening.pixels, request.complete)
    remarks.tell_what_is_alike(painter, request.hold, request.count)
    jobs, bad = _jobs(painter, request)
    if not jobs:
        raise TextError("none of the captions can be drawn", hint="see what is said of them above")
    work = Work(request, painter, outputs, jobs, bad, _judge(request))
    if folder:
        destinations.into_folder(work, folder)
    elif request.grid or request.animated:
        destinations.into_one_file(work)
    else:
        destinations.into_files(work)
    if bad:
        raise TextError(
            f"{len(bad):,} of {len(request.lines):,} captions could not be drawn",
            hint=f"the others are drawn; see {folder / batch.INDEX}"
            if folder
            else "the others are drawn",
        )


def _jobs(painter: Painter, request: Request) -> tuple[list[Job], dict[int, Line]]:
    """What can be drawn, and the lines that cannot; what was not read of them is told."""
    if request.source is None:
        for line in request.lines:
            painter.read(line.caption)  # what was typed is right as a whole, or nothing is drawn
    jobs, bad = read_jobs(painter, request.lines, seed=request.seed, count=request.count)
    remarks.tell_what_was_not_read(painter, jobs, bad, request.source)
    remarks.tell_classes(painter, jobs)
    if request.interpolate:
        if bad:
            raise TextError(
                "one of the two captions cannot be drawn, so nothing lies between them",
                hint="see what is said of it above",
            )
        start, end = (line.caption for line in request.lines)
        jobs = read_way(painter, start, end, frames=request.pictures, seed=request.seed)
    return jobs, bad


def _outputs(painter: Painter, request: Request) -> tuple[str, ...]:
    """What the generator is asked for."""
    wanted = {"stages": ("image_", request.stages), "attention": ("attention", request.attention)}
    outputs = ["image"]
    for option, (start, asked) in wanted.items():
        found = [name for name in painter.outputs if name.startswith(start)]
        if asked and not found:
            raise UsageError(
                f"{painter.manifest.name} draws without {option}", hint=f"leave out --{option}"
            )
        outputs += found if asked else []
    return tuple(outputs)


def _painter(request: Request, opening: Opening | None) -> Painter:
    return load(
        request.model,
        device=request.device,
        threads=request.threads,
        low_memory=request.low_memory,
        quick=request.pictures == 1,
        nearest_class=request.nearest_class,
        embeddings=request.embeddings,
        sampling=request.sampling,
        opening=opening,
    )


def _opening(request: Request) -> Opening | None:
    """The picture that is to be gone on with, if any is."""
    if request.complete is None:
        return None
    return Opening(read_picture(request.complete), request.keep_rows)


def _judge(request: Request) -> "Matcher | None":
    """Who chooses among the pictures of a caption, if anybody does."""
    if not request.rerank:
        return None
    from t2i.runtime.matching import Matcher  # few want it, and its imports take time

    return Matcher.load(request.rerank, device=request.device, threads=request.threads)
