"""What `t2i-edit` does with a picture whose latent a bundle tells and moves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from t2i.runtime import terminal
from t2i.runtime.blend import FRAMES, refuse_too_few
from t2i.runtime.bundle import Bundle
from t2i.runtime.cli import remarks
from t2i.runtime.cli.edit_request import Request
from t2i.runtime.cli.request import PNG, WEBP
from t2i.runtime.draw import Painter
from t2i.runtime.editor import (
    STEPS,
    STRENGTH,
    Editor,
    Moved,
    Told,
    Wish,
)
from t2i.runtime.errors import UsageError
from t2i.runtime.jobs import Job, read_typed
from t2i.runtime.latents import NPZ, read_latent, save_latent
from t2i.runtime.pictures import (
    ENDINGS,
    Pixels,
    free_name,
    grid,
    read_picture,
    save_animation,
    save_png,
    slug,
)
from t2i.runtime.score.similarity import psnr


def move(request: Request, bundle: Bundle) -> None:
    """Edit a picture, keep its latent, or walk from one to another.

    Raises:
        PictureError: a picture cannot be read, or what is there would be replaced.
        TextError: a caption cannot be read.
    """
    check(request)
    painter = Painter(bundle, device=request.device, threads=request.threads)
    remarks.introduce(painter, None)
    work = Work(request, Editor(painter))
    if request.interpolate:
        work.walk()
    elif request.invert:
        work.keep()
    else:
        work.edit()


def check(request: Request) -> None:
    """Refuse what is wrong with the command line alone.

    Raises:
        UsageError: it says too little, or contradicts itself.
        PictureError: what is there would be replaced.
    """
    ways = [name for name in ("invert", "direction", "interpolate") if getattr(request, name)]
    if len(ways) > 1:
        raise UsageError(f"--{ways[0]} and --{ways[1]} exclude each other", hint="pass one of them")
    way = f"--{ways[0]}" if ways else "towards a caption"
    captions = len(request.captions)
    if way == "--interpolate" and captions != 1:
        raise UsageError(
            f"--interpolate goes from one to another, and there are {captions + 1}",
            hint='such as: t2i-edit bird.png "a blue bird" --interpolate --model NAME',
        )
    if way in ("--invert", "--direction") and captions:
        raise UsageError(
            f"{way} takes a picture alone, and {request.captions[0]!r} is one more",
            hint="leave out what follows the picture",
        )
    if not ways and not captions:
        raise UsageError(
            "say what the picture becomes",
            hint=f't2i-edit {request.picture} "a blue bird" --model {request.model}',
        )
    unused = {
        "--invert": ("strength", "frames", "grid"),
        "--direction": ("steps", "frames", "grid"),
        "--interpolate": ("steps", "strength"),
        "towards a caption": ("frames", "grid"),
    }
    request.refuse(f"does nothing {'with ' if ways else ''}{way}", *unused[way])
    endings = {"--invert": (NPZ,), "--interpolate": (PNG,) if request.grid else (PNG, WEBP)}
    request.refuse_out(endings.get(way, (PNG,)))
    if request.strength is not None and not 0 <= request.strength <= 1:
        raise UsageError(
            f"--strength {request.strength:g} is no share",
            hint=f"0 keeps the picture, 1 follows the caption alone; {STRENGTH:g} by default",
        )
    if request.interpolate:
        refuse_too_few(FRAMES if request.frames is None else request.frames)
    if request.seed:
        terminal.warn(
            "the picture decides its latent, so --seed changes nothing", hint="leave out --seed"
        )


@dataclass(frozen=True)
class Work:
    """A request, and the bundle that does it."""

    request: Request
    editor: Editor

    @property
    def signature(self) -> dict[str, str]:
        return self.editor.painter.bundle.signature

    def tell(self, path: Path) -> Told:
        """What is told of a picture, or was told before."""
        if path.suffix.lower() == NPZ:
            return read_latent(path, self.editor)
        picture = read_picture(path)
        remarks.tell_what_is_resized(self.editor.painter, picture, path)
        return self.editor.tell(picture)

    @cached_property
    def told(self) -> Told:
        """Of the picture that is edited."""
        return self.tell(self.request.picture)

    def read(self, *captions: str) -> list[tuple[Job, Wish]]:
        """Captions as latents; what is not read of them is told."""
        painter = self.editor.painter
        jobs = read_typed(painter, captions, seed=0)
        remarks.tell_what_was_not_read(painter, jobs, {}, None)
        return [(job, self.editor.wish(painter.read(job.caption))) for job in jobs]

    def edit(self) -> None:
        """The picture, how its latent draws it, and what becomes of it, side by side."""
        began, request = perf_counter(), self.request
        results = list(self._along() if request.direction else self._towards())
        (again,) = self.editor.draw(self.told.latent[None])
        cells = [self.told.picture, again]
        shown = [self.told.shown(cell) for cell in cells] + [each.picture for each in results]
        sheet = grid(np.stack(shown), columns=len(shown))
        captions = [each.caption for each in results]
        path = request.out or free_name(Path(), captions[0])
        self._save(sheet, path, "\n".join(captions))
        seconds = round(perf_counter() - began, 3)
        near = psnr(*cells)
        for each in results:
            record = {"file": str(path), "picture": str(request.picture), **each.record}
            self._say({**record, "inversion_db": round(near, 2), "seconds": seconds}, each.words)
        if not request.as_json:
            size = f"{sheet.shape[1]} × {sheet.shape[0]}"
            terminal.report(
                f"wrote {path} (picture, inversion at {near:.1f} dB, result; {size}, "
                f"{seconds:.2f} s)"
            )

    def _towards(self) -> Iterator["Result"]:
        """One edit a caption, each from the picture."""
        request = self.request
        strength = STRENGTH if request.strength is None else request.strength
        for job, wish in self.read(*request.captions):
            moved = self._move(self.told, wish, strength, job.caption)
            first, last = moved.losses[0], min(moved.losses)
            yield Result(
                job.caption,
                self.told.shown(moved.picture, wish.facing),
                {
                    "caption": job.caption,
                    "words": job.reading.words,
                    "unknown": job.reading.unknown,
                    "surplus": job.reading.surplus,
                    "strength": strength,
                    "steps": len(moved.losses) - 1,
                    "losses": [round(first, 5), round(last, 5)],
                },
                f"{job.caption}: {len(moved.losses) - 1} steps, loss {first:.3f} → {last:.3f}",
            )

    def _along(self) -> Iterator["Result"]:
        """The picture's latent, and the way from one caption to another added."""
        assert self.request.direction
        strength = 1.0 if self.request.strength is None else self.request.strength
        (_, start), (_, end) = self.read(*self.request.direction)
        latent = self.told.latent + np.float32(strength) * (end.latent - start.latent)
        (picture,) = self.editor.draw(latent[None])
        name = " to ".join(self.request.direction)
        facing = end.facing if end.facing != start.facing else 0.0
        record = {"direction": self.request.direction, "strength": strength}
        yield Result(name, self.told.shown(picture, facing), record, f"{name}: at {strength:g}")

    def keep(self) -> None:
        """The latent of the picture, in a file."""
        request, began, told = self.request, perf_counter(), self.told
        path = request.out or Path(f"{slug(request.picture.stem)}{NPZ}")
        if not request.out:
            replace(request, out=path).refuse_out((NPZ,))
        if request.steps:
            moved = self._move(told, Wish(told.latent, 0.0), 0.0, "nearer to the picture")
            told = replace(told, latent=moved.latent)
        save_latent(told, self.editor, path)
        near = psnr(told.picture, self.editor.draw(told.latent[None])[0])
        seconds = round(perf_counter() - began, 3)
        if request.as_json:
            record = {"file": str(path), "picture": str(request.picture)}
            self._say({**record, "inversion_db": round(near, 2), "seconds": seconds}, "")
            return
        name = self.editor.manifest.name
        terminal.report(
            f"wrote {path} (draws the picture again at {near:.1f} dB, {seconds:.2f} s)",
            next=f't2i-edit {path} "a blue bird" --model {name}',
        )

    def walk(self) -> None:
        """Pictures from one latent to another, as an animation or in a row."""
        request, began = self.request, perf_counter()
        frames = FRAMES if request.frames is None else request.frames
        ends = [self._end(word) for word in request.words]
        shares = np.linspace(0, 1, frames, dtype=np.float32)[:, None]
        (start, facing), (end, _) = ends
        drawn = self.editor.draw((1 - shares) * start + shares * end)
        pictures = drawn[:, :, ::-1] if facing < 0 else drawn
        name = " to ".join(_called(word) for word in request.words)
        path = request.out or free_name(Path(), name)
        if request.grid:
            self._save(grid(pictures, columns=frames), path, name)
        else:
            save_animation(pictures, path, caption=name, seed=0, **self.signature)
        seconds = round(perf_counter() - began, 3)
        if request.as_json:
            self._say({"file": str(path), "frames": frames, "seconds": seconds}, "")
        else:
            terminal.report(f"wrote {path} ({frames} pictures, {seconds:.2f} s)")

    def _end(self, word: str) -> tuple[Any, float]:
        """An end of a walk, a picture's or a caption's latent, and which way it faces."""
        if Path(word).suffix.lower() in (*ENDINGS, NPZ):
            told = self.tell(Path(word))
            return told.latent, -1.0 if told.mirrored else 1.0
        ((_, wish),) = self.read(word)
        return wish.latent, wish.facing

    def _move(self, told: Told, wish: Wish, strength: float, what: str) -> Moved:
        """All steps, with their loss shown."""
        steps = STEPS if self.request.steps is None else self.request.steps
        with terminal.progress(what, steps) as bar:
            for moved in self.editor.move(told, wish, strength=strength, steps=steps):
                if len(moved.losses) > 1:
                    bar.advance(note=f"loss {moved.losses[-1]:.4f}")
        if len(moved.losses) <= steps:
            terminal.say(f"{what}: no better after step {len(moved.losses) - 1} of {steps}")
        return moved

    def _save(self, pixels: Pixels, path: Path, caption: str) -> None:
        further = {"picture": self.request.picture.name}
        save_png(pixels, path, caption=caption, seed=0, further=further, **self.signature)

    def _say(self, record: dict[str, Any], words: str) -> None:
        if self.request.as_json:
            terminal.print_json({**record, **self.signature})
        else:
            terminal.report(words)


@dataclass(frozen=True)
class Result:
    """What became of the picture."""

    caption: str
    picture: Pixels
    record: dict[str, Any]
    words: str


def _called(word: str) -> str:
    """A picture's name without its ending, or a caption."""
    path = Path(word)
    return path.stem if path.suffix.lower() in (*ENDINGS, NPZ) else word
