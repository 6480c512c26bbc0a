"""The command line of `--describe`, an option of `t2i-run`."""

from pathlib import Path

from t2i.runtime import describe, terminal
from t2i.runtime.errors import UsageError
from t2i.runtime.pictures import read_picture


def check(picture: Path | None, *, beside: object) -> Path:
    """The picture to describe, if that is all that was asked for.

    Raises:
        UsageError: no picture was named, or something is to be drawn as well.
    """
    if picture is None or beside:
        raise UsageError(
            "--describe tells what one picture shows, and --beams how long to look for words",
            hint="such as: t2i-run --describe bird.png --beams 3; leave out captions",
        )
    return picture


def tell(
    picture: Path,
    model: str,
    *,
    beams: int | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """The caption that a bundle gives a picture, to stdout.

    Raises:
        PictureError: the picture cannot be read.
        BundleError: the bundle cannot describe.
    """
    pixels = read_picture(picture)
    describer = describe.load(model, device=device, threads=threads)
    terminal.say(f"{describer.manifest.name} · {describer.device}")
    caption = describer(pixels, beams=beams or 1)
    if as_json:
        terminal.print_json(
            {"picture": str(picture), "caption": caption, "bundle": describer.manifest.name}
        )
    else:
        terminal.report(caption)
