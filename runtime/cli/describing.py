"""What `t2i-run --describe PICTURE` does."""

from pathlib import Path
from typing import NamedTuple

from t2i.runtime import describe, terminal
from t2i.runtime.errors import UsageError
from t2i.runtime.pictures import read_picture


class How(NamedTuple):
    """How captions are sought, and told."""

    beams: int | None
    device: str
    threads: int | None
    as_json: bool


def tell(picture: Path | None, model: str, how: How, *, given: bool) -> None:
    """The caption that a bundle gives a picture, to stdout.

    Args:
        given: captions were given too.

    Raises:
        UsageError: there is no picture, or something else to do.
        PictureError: the picture cannot be read.
        BundleError: the bundle cannot describe.
    """
    if picture is None or given:
        raise UsageError(
            "--describe tells what one picture shows, and --beams how many ways to tell are tried",
            hint="such as: t2i-run --describe bird.png --beams 3; leave out captions",
        )
    pixels = read_picture(picture)
    describer = describe.load(model, device=how.device, threads=how.threads)
    terminal.say(f"{describer.manifest.name} · {describer.device}")
    caption = describer(pixels, beams=how.beams or 1)
    if how.as_json:
        terminal.print_json(
            {"picture": str(picture), "caption": caption, "bundle": describer.manifest.name}
        )
    else:
        terminal.report(caption)
