"""What `t2i-run --describe PICTURE` does."""

from pathlib import Path

from t2i.runtime import describe, terminal
from t2i.runtime.errors import UsageError
from t2i.runtime.pictures import read_picture


def tell(
    picture: Path | None,
    model: str,
    draws: bool,
    beams: int | None,
    *,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """The caption that a bundle gives a picture, to stdout.

    Args:
        draws: captions were given too.

    Raises:
        UsageError: there is no picture, or something else to do.
        PictureError: the picture cannot be read.
        BundleError: the bundle cannot describe.
    """
    if picture is None or draws:
        raise UsageError(
            "--describe tells what one picture shows, and --beams how many ways to tell are tried",
            hint="such as: t2i-run --describe bird.png --beams 3; leave out captions",
        )
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
