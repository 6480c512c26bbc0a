"""Where pictures go: single files, one sheet or animation, or a folder that can be gone on with."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from t2i.runtime import terminal
from t2i.runtime.batch import Batch, Entry, Order, hash_captions, hash_file
from t2i.runtime.blend import Between
from t2i.runtime.captions import Line
from t2i.runtime.cli.request import PNG, Request
from t2i.runtime.draw import Painter
from t2i.runtime.errors import UsageError
from t2i.runtime.jobs import Drawn, Job, paint
from t2i.runtime.pictures import (
    MOST_PIXELS,
    companions,
    free_name,
    grid,
    save_animation,
    save_png,
)
from t2i.runtime.records import encode

if TYPE_CHECKING:
    from t2i.runtime.matching import Matcher


@dataclass(frozen=True)
class Work:
    """A request that was understood."""

    request: Request
    painter: Painter
    outputs: tuple[str, ...]
    """What the generator is asked for."""
    jobs: list[Job]
    bad: dict[int, Line]
    """Lines that cannot be drawn, by their places."""
    judge: "Matcher | None" = None
    """Chooses among the pictures of a caption."""

    def paint(self, done: Collection[int] = ()) -> Iterator[Drawn]:
        """All pictures but those that are done; or of each caption the best, best first."""
        size = self.request.batch_size
        drawn = paint(
            self.painter,
            self.jobs,
            batch_size=size,
            outputs=self.outputs,
            done=done,
            hold=self.request.held,
        )
        if self.judge is None:
            return drawn
        from t2i.runtime.rerank import best

        return best(drawn, self.judge, self.request.kept)

    @property
    def total(self) -> int:
        """How many pictures `paint` gives in all."""
        return len(self.jobs) // self.request.count * self.request.kept


def endings(painter: Painter, outputs: Sequence[str]) -> tuple[str, ...]:
    """How the files end that are written beside `NAME.png`."""
    endings = [f"-{number}{PNG}" for name, number in painter.stages.items() if name in outputs]
    attention = any(name.startswith("attention") for name in outputs)
    return (*endings, f"-attention{PNG}") if attention else tuple(endings)


def refuse_large_sheet(painter: Painter, pictures: int) -> None:
    """A sheet stays a picture that this program itself would read."""
    px = painter.manifest.image_px
    if pictures * px**2 > MOST_PIXELS:
        raise UsageError(
            f"{pictures:,} pictures of {px} px do not fit into one file",
            hint="leave out --grid, and name a folder with --out",
        )


def into_files(work: Work) -> None:
    """One file a picture, in this folder unless --out names it."""
    request, painter = work.request, work.painter
    beside = endings(painter, work.outputs)
    for drawn in work.paint():
        path = request.out or free_name(Path(), drawn.job.caption, beside)
        files = _save(work, drawn, path)
        if request.as_json:
            entry = _entry(drawn.job, files)
            terminal.print_json(_record(work, entry, path.parent, drawn.seconds))
        else:
            terminal.report(f"wrote {_listed(files)} ({_size(painter)}, {drawn.seconds:.2f} s)")


def into_one_file(work: Work) -> None:
    """All pictures on one sheet, or played one after the other, in the order of their indices.

    On a sheet, what could not be drawn is white.
    """
    request, painter = work.request, work.painter
    px = painter.manifest.image_px
    began = perf_counter()
    cells = np.full((request.written, px, px, 3), 255, np.uint8)
    filled = [0] * len(request.lines)
    with terminal.progress("drawing", work.total) as bar:
        for drawn in work.paint():
            line = drawn.job.line
            cells[line * request.kept + filled[line]] = drawn.pixels
            filled[line] += 1
            bar.advance()
    captions, seed = [line.caption for line in request.lines], request.seed
    caption, signature = "\n".join(captions), work.painter.bundle.signature
    if request.animated:
        assert request.out
        path, size = request.out, _size(painter)
        save_animation(cells, path, caption=caption, seed=seed, **signature)
    else:
        sheet = grid(cells, _columns(request))
        size = f"{sheet.shape[1]} × {sheet.shape[0]}"
        name = " to ".join(captions) if request.interpolate else captions[0]
        path = request.out or free_name(Path(), f"{name} grid")
        save_png(
            sheet,
            path,
            caption=caption,
            seed=seed,
            further=_held(request) | _sampled(request),
            **signature,
        )
    seconds = perf_counter() - began
    if request.as_json:
        order = {"file": str(path), "captions": captions, "count": request.count}
        frames = {"frames": request.pictures} if request.interpolate else {}
        time = {"seconds": round(seconds, 3)}
        drawn_by = {"seed": seed, "hold": request.held, **signature}
        terminal.print_json({**order, **frames, **drawn_by, **time})
    else:
        terminal.report(f"wrote {path} ({work.total} pictures, {size}, {seconds:.2f} s)")


def _columns(request: Request) -> int | None:
    """A row is a way, or a caption where several are drawn several times; else nearly a square."""
    if request.interpolate:
        return request.pictures
    return request.kept if request.kept > 1 and len(request.lines) > 1 else None


def into_folder(work: Work, folder: Path) -> None:
    """A batch that can be gone on with."""
    request, painter, total = work.request, work.painter, work.total
    order = Order(
        bundle=painter.manifest.name,
        sha256=painter.bundle.sha256,
        seed=request.seed,
        count=request.count,
        lines=len(request.lines),
        captions=hash_captions(line.caption for line in request.lines),
        stages=request.stages,
        attention=request.attention,
        nearest_class=request.nearest_class,
        embeddings=hash_file(request.embeddings),
        hold=request.hold,
        frames=request.pictures if request.interpolate else None,
        rerank=work.judge.extractor.sha256 if work.judge else None,
        keep=request.kept if work.judge else None,
        sampling=request.sampling,
        complete=hash_file(request.complete),
        keep_rows=request.keep_rows,
    )
    began = perf_counter()
    with Batch(folder, order, resume=request.resume) as batch:
        there = sum(job.index in batch.done for job in work.jobs)
        try:
            _fill(batch, work, there)
        except KeyboardInterrupt:
            drawn = sum(job.index in batch.done for job in work.jobs)
            terminal.say(
                f"{drawn:,} of {total:,} pictures are in {folder}"
                + ("" if work.judge else f"; the same command with --out {folder} --resume goes on")
            )
            raise
    if not request.as_json:
        beside = f", beside {there:,} that were there" if there else ""
        terminal.report(
            f"wrote {total - there:,} pictures to {folder}{beside} "
            f"({_size(painter)}, {perf_counter() - began:.1f} s)"
        )


def _fill(batch: Batch, work: Work, there: int) -> None:
    """Draw what a batch lacks; a picture counts once its files are whole and its line stands."""
    request = work.request

    def add(entry: Entry, seconds: float) -> None:
        batch.add(entry)
        if request.as_json:
            terminal.print_json(_record(work, entry, batch.folder, seconds))

    for place, line in work.bad.items():
        index = place * request.count
        if index not in batch.done:
            seed = request.seed + index
            add(Entry(index, place, line.caption, seed, file=None, error=line.problem), 0.0)
    with terminal.progress("drawing", work.total) as bar:
        bar.advance(there)
        for drawn in work.paint(done=frozenset(batch.done)):
            path = batch.path(drawn.job.index, drawn.job.caption)
            add(_entry(drawn.job, _save(work, drawn, path)), drawn.seconds)
            bar.advance()


def _save(work: Work, drawn: Drawn, path: Path) -> list[Path]:
    """Write a picture and what was drawn beside it. The picture comes last: it completes them."""
    job = drawn.job
    beside = {f"-{px}{PNG}": stage for px, stage in drawn.stages.items()}
    if drawn.attentions:
        from t2i.runtime.attention import attention_sheet  # few want it, and fonts take time

        sheet = attention_sheet(drawn.pixels, drawn.attentions, job.reading.words)
        beside[f"-attention{PNG}"] = sheet
    files = [*companions(path, list(beside)), path]
    for file, pixels in zip(files, [*beside.values(), drawn.pixels], strict=True):
        save_png(
            pixels,
            file,
            caption=job.caption,
            seed=job.seed,
            words=job.reading.words,
            further=_further(job, work.request),
            **work.painter.bundle.signature,
        )
    return files


def _entry(job: Job, files: Sequence[Path]) -> Entry:
    return Entry(
        index=job.index,
        line=job.line,
        caption=job.caption,
        seed=job.seed,
        file=files[-1].name,
        beside=tuple(file.name for file in files[:-1]),
        words=job.reading.words,
        unknown=job.reading.unknown,
        surplus=job.reading.surplus,
        share=_share(job),
    )


def _further(job: Job, request: Request) -> dict[str, str]:
    """What decided a picture beside its caption and its seed."""
    share = _share(job)
    return _held(request) | _sampled(request) | ({} if share is None else {"share": str(share)})


def _sampled(request: Request) -> dict[str, str]:
    told = dict(encode(request.sampling)) if request.sampling else {}
    if request.complete:
        told |= {"complete": request.complete.name, "keep_rows": request.keep_rows or "half"}
    return {name: str(value) for name, value in told.items() if value is not None}


def _held(request: Request) -> dict[str, str]:
    held = ", ".join(f"{name} {seed}" for name, seed in request.held.items())
    return {"hold": held} if held else {}


def _share(job: Job) -> float | None:
    return job.reading.share if isinstance(job.reading, Between) else None


def _record(work: Work, entry: Entry, folder: Path, seconds: float) -> dict[str, Any]:
    """An entry for a program that does not know the folder."""
    return {
        **encode(entry),
        "file": str(folder / entry.file) if entry.file else None,
        "beside": [str(folder / name) for name in entry.beside],
        "hold": work.request.held,
        **work.painter.bundle.signature,
        "seconds": round(seconds, 3),
    }


def _size(painter: Painter) -> str:
    return f"{painter.manifest.image_px} × {painter.manifest.image_px}"


def _listed(files: Sequence[Path]) -> str:
    """The picture first, then what goes with it."""
    *beside, picture = map(str, files)
    if not beside:
        return picture
    *first, last = picture, *beside
    return f"{', '.join(first)} and {last}"
