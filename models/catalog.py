"""The one table of systems. Torch-free, so that commands can list them without the networks."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class System:
    """One column: the file name it has on every floor, and where it comes from."""

    name: str
    """Stem of its files on every floor, and its name on the command line."""
    title: str
    """Name in prose, as the paper writes it."""
    source: str
    """Authors and venue."""
    family: Literal["gan", "matching", "judging"]
    """What it is: a picture-drawing GAN, a model that matches pictures and captions, or one that
    judges pictures."""
    pipeline: Literal["gan", "tokens", "latent", "score", "features"]
    """How its bundle runs (the manifest's word)."""
    parent: str | None = None
    """The system it extends along a citation."""


CATALOG = {
    "acgan": System(
        "acgan", "AC-GAN", "Odena, Olah and Shlens, ICML 2017", family="gan", pipeline="gan"
    ),
    "attngan": System("attngan", "AttnGAN", "Xu et al., CVPR 2018", family="gan", pipeline="gan"),
    "charcnnrnn": System(
        "charcnnrnn",
        "char-CNN-RNN",
        "Reed et al., CVPR 2016",
        family="matching",
        pipeline="score",
    ),
    "damsm": System(
        "damsm",
        "DAMSM",
        "Xu et al., CVPR 2018, section 3.2",
        family="matching",
        pipeline="score",
    ),
    "fusedgan": System(
        "fusedgan",
        "FusedGAN",
        "Bodla, Hua and Chellappa, ECCV 2018",
        family="gan",
        pipeline="gan",
    ),
    "gancls": System("gancls", "GAN-CLS", "Reed et al., ICML 2016", family="gan", pipeline="gan"),
    "judge": System("judge", "Judge", "this project", family="judging", pipeline="features"),
    "stackgan": System(
        "stackgan", "StackGAN", "Zhang et al., ICCV 2017", family="gan", pipeline="gan"
    ),
    "stackgan1": System(
        "stackgan1",
        "StackGAN, stage I",
        "Zhang et al., ICCV 2017, section 3.3",
        family="gan",
        pipeline="gan",
    ),
}
