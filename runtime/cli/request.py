"""The command line of `t2i-run`, once it is parsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2i.runtime import noise
from t2i.runtime.blend import FRAMES, refuse_too_few
from t2i.runtime.captions import STANDARD_INPUT, Line, read_captions
from t2i.runtime.decode import Sampling
from t2i.runtime.errors import PictureError, UsageError
from t2i.runtime.pictures import ENDINGS, slug

PNG, WEBP = ".png", ".webp"


def lines_of(typed: Sequence[str] | None, file: str | None) -> tuple[Line, ...]:
    """The captions that were typed, or those of a file.

    Raises:
        UsageError: there are neither, or both.
    """
    if (typed is None) == (file is None):
        raise UsageError(
            "say what to draw: captions, or --captions with a file of them",
            hint='such as: t2i-run "a red bird"; more in t2i-run --help',
        )
    if file is not None:
        return read_captions(file)
    return tuple(Line(number, text) for number, text in enumerate(typed or (), 1))


def names_in(told: str | None) -> tuple[str, ...]:
    """What an option lists with commas between."""
    return tuple(sorted({name.strip() for name in told.split(",")})) if told is not None else ()


def sampling_of(
    temperature: float | None, top_k: int | None, top_p: float | None, guidance: float | None
) -> Sampling | None:
    """How tokens are drawn, where anything was said of it."""
    told = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "guidance": guidance}
    said: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    return Sampling(**said) if said else None


def refuse_files_there(files: Sequence[Path]) -> None:
    """Raises PictureError where one of them exists."""
    for file in files:
        if file.exists():
            raise PictureError(
                f"{file} is there already", hint="replace it with --force, or choose another --out"
            )


@dataclass(frozen=True)
class Request:
    """What is to be drawn, by what, and where to."""

    lines: tuple[Line, ...]
    source: str | None
    """The file that the captions come from; None where they were typed."""
    model: str
    device: str
    threads: int | None
    batch_size: int
    low_memory: bool
    seed: int
    count: int
    out: Path | None
    grid: bool
    force: bool
    resume: bool
    stages: bool
    attention: bool
    nearest_class: bool
    embeddings: Path | None
    """File of vectors, for a bundle that reads no captions."""
    hold: tuple[str, ...]
    """Noises that all pictures share."""
    interpolate: bool
    frames: int | None
    """Pictures from one caption to the other; None where nothing was said of them."""
    rerank: str | None
    """The bundle that chooses among the pictures of a caption."""
    keep: int | None
    """How many of them it keeps."""
    sampling: Sampling | None
    """How tokens are drawn; None where nothing was said of it."""
    complete: Path | None
    """The picture that is to be gone on with."""
    keep_rows: int | None
    """How many rows of its tokens are kept; None where nothing was said of them."""
    as_json: bool

    @property
    def pictures(self) -> int:
        """How many are drawn."""
        if self.interpolate:
            return FRAMES if self.frames is None else self.frames
        return len(self.lines) * self.count

    @property
    def kept(self) -> int:
        """Pictures of a caption that are written."""
        return self.keep or (1 if self.rerank else self.count)

    @property
    def written(self) -> int:
        """How many are written in all."""
        return self.pictures if self.interpolate else len(self.lines) * self.kept

    @property
    def animated(self) -> bool:
        """Whether one file is to play all pictures."""
        ending = self.out.suffix.lower() if self.out else ""
        return self.interpolate and not self.grid and ending in (PNG, WEBP)

    @property
    def held(self) -> dict[str, int]:
        """Each noise that all pictures share, and the seed it is drawn from."""
        return dict.fromkeys(self.hold, self.seed)

    def check(self) -> None:
        """Refuse what is wrong with the command line alone.

        Raises:
            UsageError: it contradicts itself.
        """
        out = self.out
        suffix = out.suffix.lower() if out else ""
        self._check_way()
        if suffix in ENDINGS - {PNG} and not self.animated:
            raise UsageError(f"pictures are not written as {suffix}", hint="end --out with .png")
        self._check_rerank()
        if self.sampling:
            self.sampling.check()
        if self.keep_rows is not None and not self.complete:
            raise UsageError(
                "--keep-rows counts rows of a picture that is gone on with",
                hint="name it: --complete PICTURE",
            )
        if suffix == PNG and self.written > 1 and not (self.grid or self.animated):
            raise UsageError(
                f"{self.written} pictures do not fit into {out}",
                hint="pass --out a folder, or put them on one sheet with --grid",
            )
        if self.grid and out and suffix != PNG:
            raise UsageError("--grid makes one picture", hint=f"such as --out {out}.png")
        if self.grid and (self.stages or self.attention):
            raise UsageError(
                "a grid shows neither stages nor attention",
                hint="leave out --grid, or --stages and --attention",
            )
        if self.resume and (self.grid or not out or suffix in (PNG, WEBP)):
            raise UsageError("--resume goes on with a folder", hint="name it with --out")
        if self.resume and self.force:
            raise UsageError("--resume goes on, --force begins again", hint="leave out one of them")
        noise.refuse_too_many(self.seed, 1 if self.interpolate else self.pictures)

    def _check_way(self) -> None:
        """What concerns the way from one caption to another."""
        if not self.interpolate:
            if self.frames is not None:
                raise UsageError(
                    "--frames counts the pictures between two captions",
                    hint="add --interpolate; --count draws a caption several times",
                )
            return
        if len(self.lines) != 2:
            raise UsageError(
                f"--interpolate goes from one caption to another, and there are {len(self.lines)}",
                hint='such as: t2i-run --interpolate "a red bird" "a blue bird"',
            )
        if self.count > 1 or self.hold:
            raise UsageError(
                "between two captions all noise is held",
                hint="leave out --hold and --count; --frames says how many pictures, --seed which",
            )
        refuse_too_few(self.pictures)
        if self.attention or (self.stages and self.animated):
            raise UsageError(
                "between two captions there is no attention, and an animation has no stages",
                hint="leave out --attention, and --stages unless --out names a folder",
            )

    def _check_rerank(self) -> None:
        if self.keep and not self.rerank:
            raise UsageError(
                "--keep is for --rerank", hint="add --rerank BUNDLE, such as one of CLIP"
            )
        if self.rerank and self.interpolate:
            raise UsageError(
                "--rerank chooses among pictures of one caption, and a way has one of each place",
                hint="leave out --interpolate or --rerank",
            )
        if self.rerank and self.kept >= self.count:
            raise UsageError(
                f"--rerank keeps {self.kept} of {self.count} pictures a caption",
                hint=f"draw more, such as --count {8 * self.kept}",
            )
        if self.rerank and self.resume:
            raise UsageError(
                "--resume cannot go on with a choice", hint="leave out --resume or --rerank"
            )

    def folder(self) -> Path | None:
        """Where many pictures go; None for a sheet, one file, or free names in this folder."""
        if self.grid or self.animated or (self.out and self.out.suffix.lower() == PNG):
            return None
        if self.out or not (self.source or self.interpolate):
            return self.out
        if self.interpolate:
            name = slug(" to ".join(line.caption for line in self.lines))
        else:
            assert self.source
            name = "pictures" if self.source == STANDARD_INPUT else slug(Path(self.source).stem)
        free, number = Path(name), 1
        while free.exists():
            number += 1
            free = Path(f"{name}-{number}")
        return free
