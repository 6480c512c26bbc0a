"""What `t2i-edit` does with a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from t2i.runtime import noise, places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.cli import bundles, remarks
from t2i.runtime.cli.edit_request import OF_LATENTS, Request
from t2i.runtime.draw import TOGETHER, Painter
from t2i.runtime.errors import BundleError, UsageError
from t2i.runtime.jobs import Drawn, Job, paint, read_typed
from t2i.runtime.pictures import Pixels, fitted, free_name, grid, read_picture, save_png


@dataclass(frozen=True)
class Work:
    """A request that was understood."""

    request: Request
    painter: Painter
    picture: Pixels
    """As the bundle looks at it."""
    jobs: list[Job]

    def paint(self) -> Iterator[Drawn]:
        """All captions in the style of the picture."""
        style = self.painter.invert(self.picture)
        return paint(self.painter, self.jobs, batch_size=TOGETHER, hold=style)

    def save(
        self, pixels: Pixels, path: Path, caption: str, seed: int, words: Sequence[str] = ()
    ) -> None:
        save_png(
            pixels,
            path,
            caption=caption,
            seed=seed,
            words=words,
            further={"style": self.request.picture.name},
            **self.painter.bundle.signature,
        )


def edit(request: Request) -> None:
    """Edit a picture as the bundle can: move its latent, or draw captions in its style.

    Raises:
        PictureError: the picture cannot be read, or what is there would be replaced.
        BundleError: the bundle edits no pictures.
        TextError: a caption cannot be drawn.
    """
    if not request.words:
        raise UsageError(
            "say which picture becomes what",
            hint='such as: t2i-edit bird.png "a blue bird" --model gancls-birds; or change a '
            'caption: t2i-edit --from "a red bird" "a blue bird"',
        )
    if request.model is None:
        raise UsageError("say with --model which bundle edits", hint=_who_can())
    bundle = Bundle.load(places.find(request.model))
    roles = {graph.role for graph in bundle.manifest.graphs}
    if "edit" in roles:
        from t2i.runtime.cli import moving  # styles do without it

        moving.move(request, bundle)
    elif "invert" in roles:
        _check(request, bundle.name)
        _draw_in_style(request, bundle)
    else:
        raise BundleError(
            f"{bundle.name} edits no pictures: it has neither a graph 'edit' nor 'invert'",
            hint=_who_can(),
        )


def _check(request: Request, bundle: str) -> None:
    """Refuse what is wrong with the command line alone.

    Raises:
        UsageError: it says too little, or contradicts itself.
        PictureError: what is there would be replaced.
    """
    request.refuse(f"moves a latent, and {bundle} tells the style of a picture", *OF_LATENTS)
    if not request.captions:
        raise UsageError(
            "say what to draw in the style of the picture",
            hint=f't2i-edit {request.picture} "a blue bird" --model {bundle}',
        )
    request.refuse_out()
    if request.out and len(request.captions) > 1 and not request.grid:
        raise UsageError(
            f"{len(request.captions)} pictures do not fit into {request.out}",
            hint="put them on one sheet with --grid, or leave out --out",
        )
    noise.refuse_too_many(request.seed, len(request.captions))


def _draw_in_style(request: Request, bundle: Bundle) -> None:
    given = read_picture(request.picture)
    painter = Painter(bundle, device=request.device, threads=request.threads)
    remarks.introduce(painter, request.seed)
    remarks.tell_what_is_resized(painter, given, request.picture)
    _tell_what_a_seed_decides(request, painter)
    jobs = read_typed(painter, request.captions, seed=request.seed)
    remarks.tell_what_was_not_read(painter, jobs, {}, None)
    work = Work(request, painter, fitted(given, painter.manifest.image_px), jobs)
    if request.grid:
        _onto_sheet(work)
    else:
        _into_files(work)


def _who_can() -> str:
    names = ", ".join([*bundles.with_graph("edit"), *bundles.with_graph("invert")])
    if names:
        return f"these can: {names}"
    return "none here can; `t2i-export cigan` and `t2i-export gancls` make such"


def _tell_what_a_seed_decides(request: Request, painter: Painter) -> None:
    told = {each.name for each in painter.bundle.graph("invert").outputs}
    if request.seed and told == {each.name for each in painter.manifest.noise}:
        terminal.warn(
            f"the picture decides all noise of {painter.manifest.name}, so --seed changes nothing",
            hint="leave out --seed",
        )


def _into_files(work: Work) -> None:
    """One file a caption."""
    px = work.painter.manifest.image_px
    for drawn in work.paint():
        job, reading = drawn.job, drawn.job.reading
        path = work.request.out or free_name(Path(), job.caption)
        work.save(drawn.pixels, path, job.caption, job.seed, reading.words)
        if work.request.as_json:
            terminal.print_json(
                {
                    "file": str(path),
                    "picture": str(work.request.picture),
                    "caption": job.caption,
                    "seed": job.seed,
                    "words": reading.words,
                    "unknown": reading.unknown,
                    "surplus": reading.surplus,
                    **work.painter.bundle.signature,
                    "seconds": round(drawn.seconds, 3),
                }
            )
        else:
            terminal.report(f"wrote {path} ({px} × {px}, {drawn.seconds:.2f} s)")


def _onto_sheet(work: Work) -> None:
    """The picture, as the bundle looked at it, and all captions beside it."""
    request, began = work.request, perf_counter()
    cells = np.stack([work.picture, *(drawn.pixels for drawn in work.paint())])
    sheet = grid(cells, columns=len(cells))
    path = request.out or free_name(Path(), f"{request.captions[0]} grid")
    work.save(sheet, path, "\n".join(request.captions), request.seed)
    seconds = perf_counter() - began
    if request.as_json:
        terminal.print_json(
            {
                "file": str(path),
                "picture": str(request.picture),
                "captions": request.captions,
                "seed": request.seed,
                **work.painter.bundle.signature,
                "seconds": round(seconds, 3),
            }
        )
    else:
        size = f"{sheet.shape[1]} × {sheet.shape[0]}"
        terminal.report(f"wrote {path} ({len(cells)} pictures, {size}, {seconds:.2f} s)")
