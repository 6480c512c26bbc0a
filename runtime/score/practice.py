"""Whole protocols by name: how packages and papers resize, shuffle and split."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from t2i.runtime.errors import UsageError, did_you_mean
from t2i.runtime.noise import dice
from t2i.runtime.score.resize import PYTORCH_FID


@dataclass(frozen=True)
class Practice:
    """What is done alike in all numbers of one table."""

    told: str
    """Whose numbers are made so."""
    resize: str
    """How pictures come to an Inception, for distances of features; one of `RESIZES`."""
    kinds_resize: str
    """The same, for the Inception Score."""
    shuffled: bool = False
    """Whether pictures are shuffled, by a seed, before they are split."""
    whole: int = 1
    """Of shuffled pictures only a multiple of this number counts."""
    folds: int | None = None
    """Parts whose hits R-precision takes mean and deviation of."""
    runs: int = 1
    """How often R-precision draws other candidates for each picture."""

    def resize_for(self, metric: str) -> str:
        return self.kinds_resize if metric == "is" else self.resize

    def order(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Which pictures count, one after the other.

        Source: hanzhanggit/StackGAN-inception-model, which leaves the seed to chance.
        """
        places = np.arange(count)
        if self.shuffled:
            dice(seed).shuffle(places)
        return places[: count // self.whole * self.whole]


PRACTICES = {
    "tf": Practice("TTUR, torch-fidelity, clean-fid's legacy_tensorflow", "tf", "tf"),
    PYTORCH_FID: Practice("pytorch-fid and most papers after it", PYTORCH_FID, PYTORCH_FID),
    "clean": Practice("clean-fid", "clean", "clean"),
    "stackgan": Practice(
        "StackGAN and the Inception Scores of its successors",
        "stackgan",
        "stackgan",
        shuffled=True,
        whole=64,
    ),
    # FID of both tables was taken by another network, of torchvision: see the card of Inception.
    "attngan": Practice(
        "the table of AttnGAN, but for FID",
        PYTORCH_FID,
        "stackgan",
        shuffled=True,
        whole=64,
        runs=10,
    ),
    "dmgan": Practice(
        "the table of DM-GAN, but for FID",
        PYTORCH_FID,
        "stackgan",
        shuffled=True,
        whole=64,
        folds=10,
    ),
}


def practice(name: str) -> Practice:
    """Raises UsageError: there is no such protocol."""
    if name not in PRACTICES:
        raise UsageError(f"there is no protocol {name!r}", hint=did_you_mean(name, PRACTICES))
    return PRACTICES[name]
