"""The command line of `t2i-edit`, once it is parsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from t2i.runtime.cli.request import PNG, refuse_files_there
from t2i.runtime.errors import UsageError

OF_LATENTS = ("steps", "strength", "invert", "direction", "interpolate", "frames")
"""Options for bundles that move the latent of a picture."""


@dataclass(frozen=True)
class Request:
    """What is to become of a picture, or of a caption's."""

    words: tuple[str, ...]
    """A picture and captions; with `start` captions alone."""
    start: str | None
    """The caption whose picture is changed."""
    model: str | None
    seed: int
    steps: int | None
    strength: float | None
    invert: bool
    direction: tuple[str, str] | None
    interpolate: bool
    frames: int | None
    out: Path | None
    grid: bool
    force: bool
    device: str
    threads: int | None
    as_json: bool

    @property
    def picture(self) -> Path:
        return Path(self.words[0] if self.words else "")

    @property
    def captions(self) -> tuple[str, ...]:
        """What is drawn in place of a caption, or of a picture."""
        return self.words if self.start is not None else self.words[1:]

    def refuse_out(self, endings: Sequence[str] = (PNG,)) -> None:
        """Refuse a file of another kind, and one that is there.

        Raises:
            UsageError, PictureError.
        """
        if self.out and self.out.suffix.lower() not in endings:
            raise UsageError(
                f"--out {self.out} is no {' or '.join(endings)}",
                hint=f"such as --out {self.out}{endings[0]}",
            )
        if self.out and not self.force:
            refuse_files_there([self.out])

    def refuse(self, why: str, *names: str) -> None:
        """Raises UsageError where one of these options was given."""
        for name in names:
            if getattr(self, name) not in (None, False):
                raise UsageError(f"--{name} {why}", hint=f"leave out --{name}")
