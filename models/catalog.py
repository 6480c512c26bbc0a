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
    family: Literal["gan", "matching", "judging", "describing", "coding", "telling", "latent"]
    """What it is: a picture-drawing GAN, a model that matches pictures and captions, one that
    judges pictures, one that describes them, one that turns them into tokens and back, one that
    tells a picture token by token, or one that draws latents or tells those of pictures."""
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
    "cigan": System("cigan", "CI-GAN", "Wang et al., ACM MM 2021", family="gan", pipeline="gan"),
    "clip": System(
        "clip", "CLIP", "Radford et al., ICML 2021", family="matching", pipeline="score"
    ),
    "controlgan": System(
        "controlgan",
        "ControlGAN",
        "Li et al., NeurIPS 2019",
        family="gan",
        pipeline="gan",
        parent="attngan",
    ),
    "dalle": System(
        "dalle", "DALL-E", "Ramesh et al., ICML 2021", family="telling", pipeline="tokens"
    ),
    "damsm": System(
        "damsm",
        "DAMSM",
        "Xu et al., CVPR 2018, section 3.2",
        family="matching",
        pipeline="score",
    ),
    "dmgan": System(
        "dmgan", "DM-GAN", "Zhu et al., CVPR 2019", family="gan", pipeline="gan", parent="attngan"
    ),
    "dvae": System(
        "dvae",
        "dVAE",
        "Ramesh et al., ICML 2021, section 2.1",
        family="coding",
        pipeline="tokens",
    ),
    "fusedgan": System(
        "fusedgan",
        "FusedGAN",
        "Bodla, Hua and Chellappa, ECCV 2018",
        family="gan",
        pipeline="gan",
    ),
    "gancls": System("gancls", "GAN-CLS", "Reed et al., ICML 2016", family="gan", pipeline="gan"),
    "hdgan": System(
        "hdgan", "HDGAN", "Zhang, Xie and Yang, CVPR 2018", family="gan", pipeline="gan"
    ),
    "inception": System(
        "inception",
        "Inception",
        "Szegedy et al., CVPR 2016; Salimans et al., NIPS 2016",
        family="judging",
        pipeline="features",
    ),
    "inversion": System(
        "inversion",
        "Inversion",
        "Wang et al., ACM MM 2021, second stage",
        family="latent",
        pipeline="latent",
    ),
    "judge": System("judge", "Judge", "this project", family="judging", pipeline="features"),
    "mindalle": System(
        "mindalle",
        "min-dalle",
        "Dayma et al., 2021; Kuprel, 2022",
        family="telling",
        pipeline="tokens",
    ),
    "mirrorgan": System(
        "mirrorgan",
        "MirrorGAN",
        "Qiao et al., CVPR 2019",
        family="gan",
        pipeline="gan",
        parent="attngan",
    ),
    "parts": System("parts", "Parts", "this project", family="judging", pipeline="features"),
    "ppan": System("ppan", "PPAN", "Gao et al., AAAI 2019", family="gan", pipeline="gan"),
    "sdgan": System(
        "sdgan", "SD-GAN", "Yin et al., CVPR 2019", family="gan", pipeline="gan", parent="attngan"
    ),
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
    "stream": System(
        "stream",
        "STREAM",
        "Qiao et al., CVPR 2019, section 3.3",
        family="describing",
        pipeline="score",
    ),
    "stylegan2": System(
        "stylegan2", "StyleGAN2", "Karras et al., CVPR 2020", family="latent", pipeline="latent"
    ),
    "tacgan": System("tacgan", "TAC-GAN", "Dash et al., 2017", family="gan", pipeline="gan"),
    "vs": System(
        "vs",
        "VS similarity",
        "Zhang, Xie and Yang, CVPR 2018",
        family="matching",
        pipeline="score",
    ),
}
