"""A trained judge at work in another recipe: it compares pictures by what it sees, frozen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from t2i.models import judge
from t2i.models.blocks.resizing import resized
from t2i.runtime.errors import UsageError
from t2i.runtime.records import decode
from t2i.train.players import below
from t2i.train.prerequisites import Needed
from t2i.train.vgg import FrozenVgg

Maps = tuple[Tensor, ...]
Eye = Literal["judge", "vgg"]
"""What compares pictures: a judge of drawn birds, or VGG-16."""


def check_eye(eye: Eye | None, vgg: str | None, kind: str) -> None:
    """Raises UsageError: what is to compare pictures of this kind is not there, or cannot."""
    if eye == "vgg" and vgg is None:
        raise UsageError(
            "VGG-16 is to compare pictures, and no file of its weights is named",
            hint="--set vgg=FILE (torchvision's, .safetensors), or --set features=none",
        )
    if eye == "vgg" and vgg and not Path(vgg).is_file():
        raise UsageError(
            f"VGG-16 is to compare pictures, and {vgg} is not there",
            hint="name the file of its weights: --set vgg=FILE (torchvision's, .safetensors)",
        )
    if eye == "judge" and kind != "birds":
        raise UsageError(
            "the judge that is to compare pictures knows drawn birds alone",
            hint="--set features=vgg --set vgg=FILE, or --set features=none",
        )


class FrozenJudge:
    """In eval mode and without gradients of its own: they go through it to the pictures."""

    def __init__(self, trained: Needed, device: torch.device) -> None:
        self.sizes = decode(judge.Settings, trained.recipe.network)
        self.network = judge.Judge(self.sizes)
        self.network.load_state_dict(below("image.", trained.state))
        self.network.to(device).eval().requires_grad_(requires_grad=False)

    def maps(self, pictures: Tensor, side: int | None = None) -> Maps:
        """What each stage of the judge makes of pictures (B, 3, H, W) in [-1, 1].

        They are resized first, to the size the judge knows, or to `side` where they are windows
        that would be so large in a picture of that size.
        """
        return self.network.maps(resized(pictures, side or self.sizes.px))

    def misread(self, maps: Maps, attributes: Tensor) -> Tensor:
        """Mean cross-entropy of the attributes (B, A) that the judge reads in whole pictures."""
        logits = self.network.read(maps).attributes.float().split(self.sizes.attributes, dim=1)
        losses = [F.cross_entropy(logits[i], said) for i, said in enumerate(attributes.T)]
        return torch.stack(losses).mean()


def eye_of(
    eye: Eye | None, vgg: str | None, needs: Mapping[str, Needed], device: torch.device
) -> FrozenJudge | FrozenVgg | None:
    """What compares pictures, once `check_eye` has found nothing wrong with it."""
    if eye == "judge":
        return FrozenJudge(needs["judge"], device)
    if eye == "vgg":
        assert vgg is not None, "check_eye has refused this"
        return FrozenVgg(Path(vgg), device)
    return None


def distance(seen: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """How differently two sets of pictures are seen: the L1 distance of their maps, summed.

    Each map's is a share of the mean of what is wanted there, so that no map outweighs the others.

    Source:
        Johnson et al. 2016, section 3.2, there of one map, and squared.
    """
    gaps = [F.l1_loss(a, b) / b.abs().mean() for a, b in zip(seen, wanted, strict=True)]
    return torch.stack(gaps).sum()
