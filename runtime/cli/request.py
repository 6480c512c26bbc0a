"""The command line of `t2i-run`, once it is parsed."""

from dataclasses import dataclass
from pathlib import Path

from t2i.runtime import noise
from t2i.runtime.captions import STANDARD_INPUT, Line
from t2i.runtime.errors import UsageError
from t2i.runtime.pictures import slug

PNG = ".png"
NOT_WRITTEN = {".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


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
    rerank: str | None
    """The bundle that chooses among the pictures of a caption."""
    keep: int | None
    """How many of them it keeps."""
    as_json: bool

    @property
    def pictures(self) -> int:
        """How many are drawn."""
        return len(self.lines) * self.count

    @property
    def kept(self) -> int:
        """Pictures of a caption that are written."""
        return self.keep or (1 if self.rerank else self.count)

    def check(self) -> None:
        """Refuse what is wrong with the command line alone.

        Raises:
            UsageError: it contradicts itself.
        """
        out = self.out
        suffix = out.suffix.lower() if out else ""
        if suffix in NOT_WRITTEN:
            raise UsageError(f"pictures are not written as {suffix}", hint="end --out with .png")
        self._check_rerank()
        written = len(self.lines) * self.kept
        if suffix == PNG and written > 1 and not self.grid:
            raise UsageError(
                f"{written} pictures do not fit into {out}",
                hint="pass --out a folder, or put them on one sheet with --grid",
            )
        if self.grid and out and suffix != PNG:
            raise UsageError("--grid makes one picture", hint=f"such as --out {out}.png")
        if self.grid and (self.stages or self.attention):
            raise UsageError(
                "a grid shows neither stages nor attention",
                hint="leave out --grid, or --stages and --attention",
            )
        if self.resume and (self.grid or not out or suffix == PNG):
            raise UsageError("--resume goes on with a folder", hint="name it with --out")
        if self.resume and self.force:
            raise UsageError("--resume goes on, --force begins again", hint="leave out one of them")
        if self.seed + self.pictures > noise.SEEDS:
            raise UsageError("the seed is too large", hint="each picture's seed must be below 2^38")

    def _check_rerank(self) -> None:
        if self.keep and not self.rerank:
            raise UsageError(
                "--keep is for --rerank", hint="add --rerank BUNDLE, such as one of CLIP"
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
        if self.grid or (self.out and self.out.suffix.lower() == PNG):
            return None
        if self.out or not self.source:
            return self.out
        name = "pictures" if self.source == STANDARD_INPUT else slug(Path(self.source).stem)
        free, number = Path(name), 1
        while free.exists():
            number += 1
            free = Path(f"{name}-{number}")
        return free
