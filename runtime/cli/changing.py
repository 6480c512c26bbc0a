"""`--from CAPTION` of `t2i-edit`: other captions from the same noise, and what changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from t2i.runtime import noise, places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.cli import remarks
from t2i.runtime.cli.edit_request import OF_LATENTS, Request
from t2i.runtime.difference import Difference, is_turned
from t2i.runtime.draw import TOGETHER, Painter
from t2i.runtime.errors import BundleError, UsageError
from t2i.runtime.jobs import Drawn, paint, read_typed
from t2i.runtime.pictures import ENDINGS, Pixels, free_name, grid, save_png

MODEL = "birds"
"""Draws unless another is asked for."""


@dataclass(frozen=True)
class Changed:
    """One caption, drawn from the noise of another's picture."""

    before: Drawn
    after: Drawn
    turned: bool
    """Whether the caption turned the picture round: then its mirror image is compared."""
    difference: Difference

    @classmethod
    def between(cls, before: Drawn, after: Drawn) -> "Changed":
        turned = is_turned(before.pixels, after.pixels)
        compared = after.pixels[:, ::-1] if turned else after.pixels
        return cls(before, after, turned, Difference.between(before.pixels, compared))

    @property
    def cells(self) -> tuple[Pixels, Pixels, Pixels]:
        """A row of the sheet."""
        return self.before.pixels, self.after.pixels, self.difference.map


def change(request: Request) -> None:
    """Draw captions from the noise of another, and tell how much of its picture changes.

    Raises:
        PictureError: what is there would be replaced.
        BundleError: there is no such bundle, or its noise cannot be held.
        TextError: a caption cannot be drawn.
    """
    _check(request)
    assert request.start is not None
    painter = _painter(request)
    remarks.introduce(painter, request.seed)
    began = perf_counter()
    made = list(_changed(painter, request))
    sheet = grid(np.stack([cell for each in made for cell in each.cells]), columns=3)
    path = request.out or free_name(Path(), f"{request.start} to {request.captions[0]}")
    signature = painter.bundle.signature
    save_png(
        sheet,
        path,
        caption="\n".join(request.captions),
        seed=request.seed,
        further={"from": request.start},
        **signature,
    )
    seconds = perf_counter() - began
    for each in made:
        if request.as_json:
            told = {**_record(each), "from": request.start, **signature}
            terminal.print_json({"file": str(path), **told, "seconds": round(seconds, 3)})
        else:
            terminal.report(_in_words(each))
    if not request.as_json:
        size = f"{sheet.shape[1]} × {sheet.shape[0]}"
        terminal.report(f"wrote {path} (before, after, difference; {size}, {seconds:.2f} s)")


def _check(request: Request) -> None:
    """Refuse what is wrong with the command line alone.

    Raises:
        UsageError: it says too little, or contradicts itself.
        PictureError: what is there would be replaced.
    """
    if not request.captions:
        raise UsageError(
            "say what the caption of --from becomes",
            hint='such as: t2i-edit --from "a red bird" "a blue bird"',
        )
    if Path(request.captions[0]).suffix.lower() in ENDINGS:
        raise UsageError(
            f"--from draws from noise, and {request.captions[0]} is a picture",
            hint="leave out the picture; or --from, to edit the picture",
        )
    request.refuse("is for pictures: --from always makes one sheet", "grid")
    request.refuse("moves the latent of a picture, and --from draws from noise", *OF_LATENTS)
    request.refuse_out()
    noise.refuse_too_many(request.seed, 1)


def _painter(request: Request) -> Painter:
    bundle = Bundle.load(places.find(request.model or MODEL))
    if bundle.manifest.draws and not bundle.manifest.noise:
        raise BundleError(
            f"{bundle.name} draws from no noise, so there is none that two captions could share",
            hint=f"take a bundle that draws from noise, such as {MODEL}",
        )
    if bundle.manifest.condition in ("vector", "none"):
        raise UsageError(
            f"{bundle.name} reads no captions, so none can change its pictures",
            hint=f"take a bundle that does, such as {MODEL}; `t2i-run --list` shows them",
        )
    return Painter(bundle, device=request.device, threads=request.threads)


def _changed(painter: Painter, request: Request) -> Iterator[Changed]:
    """Each caption beside that of --from; all pictures are of one seed."""
    assert request.start is not None
    jobs = read_typed(painter, (request.start, *request.captions), seed=request.seed)
    remarks.tell_what_was_not_read(painter, jobs, {}, None)
    alike = [replace(job, seed=request.seed) for job in jobs]
    before, *others = paint(painter, alike, batch_size=TOGETHER)
    for after in others:
        if after.job.reading.words == before.job.reading.words:
            terminal.warn(
                f"{painter.manifest.name} reads the same in {after.job.caption!r} as in "
                f"{request.start!r}: nothing changes",
                hint="say it in words that it knows",
            )
        yield Changed.between(before, after)


def _record(made: Changed) -> dict[str, Any]:
    job, difference = made.after.job, made.difference
    return {
        "caption": job.caption,
        "seed": job.seed,
        "words": job.reading.words,
        "unknown": job.reading.unknown,
        "surplus": job.reading.surplus,
        "changed": round(difference.share, 6),
        "mean_levels": round(difference.mean, 4),
        "mirrored": made.turned,
    }


def _in_words(made: Changed) -> str:
    difference = made.difference
    turned = "turned round, so its mirror image is compared; " if made.turned else ""
    return (
        f"{made.after.job.caption}: {turned}{100 * difference.share:.1f} % of the pixels changed, "
        f"{difference.mean:.1f} of 255 levels on average"
    )
