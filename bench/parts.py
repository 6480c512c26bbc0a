"""How well the parts of drawn birds are told apart in pictures of the test split, in percent.

    python -m bench.parts                      # birds-parts, which ships
    python -m bench.parts parts-toy            # another bundle, by name or path

Of each part: how much of it is found, how much of what is taken for it is it, and how much of both
together is both. No training shows these combinations of colours.
"""

from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from bench.captions import SEED
from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.pictures import to_planes
from t2i.runtime.sessions import open_session
from t2i.train.data.birds.cache import Series
from t2i.train.data.birds.render import draw

BIRDS, PX = 256, 128
SERIES = Series("test", PX, SEED)

Mask = npt.NDArray[np.bool_]
"""(N, px, px)."""


def truth(index: int, px: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A picture of the test split, and its parts at the side of a map."""
    bird, noise, left = SERIES.bird(index), SERIES.noise(index), SERIES.looks_left(index)
    picture = draw(bird, noise, PX, mirrored=left).pixels
    return picture, draw(bird, noise, px, mirrored=left).parts


def main(model: Annotated[str, typer.Argument(help="Name or path.")] = "birds-parts") -> None:
    bundle = Bundle.load(places.find(model))
    session = open_session(bundle, "image", device="cpu", threads=1)
    told, true = [], []
    for index in range(BIRDS):
        picture, parts = truth(index, bundle.manifest.image_px)
        (shares,) = session.run({"image": to_planes([picture])}, ["parts"])["parts"]
        told.append(shares.argmax(0))
        true.append(parts)
    taken, there = np.stack(told), np.stack(true)
    terminal.report(f"{bundle.name}: {BIRDS} pictures of the test split")
    rows = [
        (name, *row(taken == number, there == number))
        for number, name in enumerate(bundle.manifest.parts)
    ]
    terminal.table(("part", "found", "right", "overlap"), rows)


def row(taken: Mask, there: Mask) -> tuple[str, str, str]:
    """Shares of what is there, of what is taken for it, and of both together."""
    both = (taken & there).sum()
    wholes = (there.sum(), taken.sum(), (taken | there).sum())
    found, right, overlap = (f"{100 * both / max(1, whole):.1f}" for whole in wholes)
    return found, right, overlap


if __name__ == "__main__":
    typer.run(main)
