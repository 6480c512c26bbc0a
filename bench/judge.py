"""How well a judge reads drawn birds of the test split: the share of right answers, in percent.

    python -m bench.judge                      # birds-features, which ships
    python -m bench.judge birds-perceptual     # another bundle, by name or path

Each bird is seen at three sizes, looking right and, mirrored, looking left. No training shows these
combinations of colours, and no judge was trained on birds of this seed.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import Session, open_session
from t2i.train import data
from t2i.train.data.batch import collate
from t2i.train.data.dataset import Dataset

BIRDS, BATCH = 1984, 64
SIZES = (64, 128, 256)
DATA = data.Settings(kind="birds", px=SIZES, words=32, count=BIRDS, facing="right", seed=0)

Codes = npt.NDArray[np.int64]
"""(B, A): the number of each attribute's value."""


def shown(birds: Dataset, px: int) -> Iterator[tuple[npt.NDArray[np.float32], Codes]]:
    """Batches of pictures (B, 3, px, px) and what is true of them; the last attribute is facing."""
    for start in range(0, len(birds), BATCH):
        batch = collate([birds.item(n, n) for n in range(start, min(start + BATCH, len(birds)))])
        assert batch.attributes is not None
        pictures = batch.images[SIZES.index(px)].numpy()
        for facing, seen in ((1, pictures), (0, np.ascontiguousarray(pictures[..., ::-1]))):
            codes = batch.attributes.numpy()
            yield seen, np.column_stack([codes, np.full(len(codes), facing)])


def read(session: Session, pictures: npt.NDArray[np.float32], widths: list[int]) -> Codes:
    """What a judge takes each picture's attributes for."""
    logits = session.run({"image": pictures}, ["attributes"])["attributes"]
    heads = np.split(logits, np.cumsum(widths)[:-1], axis=1)
    return np.stack([head.argmax(axis=1) for head in heads], axis=1)


def answers(session: Session, birds: Dataset, px: int, widths: list[int]) -> tuple[Codes, Codes]:
    """What is true of all pictures, and what the judge reads in them: (N, A) each."""
    asked = [(codes, read(session, seen, widths)) for seen, codes in shown(birds, px)]
    true, told = zip(*asked, strict=True)
    return np.concatenate(true), np.concatenate(told)


def hardest(values: tuple[str, ...], true: Codes, told: Codes) -> str:
    """The value of one attribute that is read worst where it is there, and how often rightly."""
    found = {value: (told[true == n] == n).mean() for n, value in enumerate(values)}
    worst = min(found, key=lambda value: found[value])
    return f"{worst} {100 * found[worst]:.1f}"


def main(model: Annotated[str, typer.Argument(help="Name or path.")] = "birds-features") -> None:
    bundle = Bundle.load(places.find(model))
    attributes = bundle.manifest.attributes
    widths = [len(values) for values in attributes.values()]
    session = open_session(bundle, "image", device="cpu", threads=1)
    birds = data.open(DATA, "test")
    found = [answers(session, birds, px, widths) for px in SIZES]
    right = np.array([(true == told).mean(axis=0) for true, told in found])
    terminal.report(f"{bundle.name}: {2 * len(birds)} pictures of the test split, right answers")
    rows = [
        (
            name,
            *(f"{100 * share:.1f}" for share in right[:, place]),
            hardest(values, *(each[:, place] for each in found[-1])),
        )
        for place, (name, values) in enumerate(attributes.items())
    ]
    sizes = [f"{px} px" for px in SIZES]
    terminal.table(("attribute", *sizes, f"hardest value, {sizes[-1]}"), rows)


if __name__ == "__main__":
    typer.run(main)
