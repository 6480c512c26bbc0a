"""`t2i-run --describe`."""

from pathlib import Path

from t2i.runtime import describe, terminal
from t2i.runtime.pictures import read_picture


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
