"""Inception as FID, KID and the Inception Score see with it: Inception-v3 that pools otherwise.

The Inception Scores of birds and flowers were taken with another, which TF-Slim fine-tuned on the
classes of the test split.

Source:
    Heusel et al. 2017 and Salimans et al. 2016, whose graph of 2015-12-05 mseitzer/pytorch-fid and
    toshas/torch-fidelity ported; Szegedy et al. 2016, section 6. Fine-tuned: StackGAN, Zhang et al.
    2017, section 4.1; hanzhanggit/StackGAN-inception-model.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models.encoders import inception
from t2i.models.encoders.inception import BlockA, BlockB, BlockC, BlockD, BlockE, thinned
from t2i.runtime.errors import UsageError

LEAST_PX = 75
"""Side below which nothing is left of a picture behind the last strides."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the network; the defaults are those of the official weights."""

    kinds: int = 1008
    """What pictures are told apart into."""
    biased: bool = False
    """Whether logits count the classifier's bias: the Inception Score's official code does not."""
    px: int = inception.PX
    """Side to which pictures are resized first."""
    thinner: int = 1
    """By what the official numbers of channels are divided: a divisor of 16."""
    slim: bool = False
    """Whether it is TF-Slim's: its norms have no gains, its last block takes means, and one more
    kind, the first, is a background that logits leave out."""


class Seen(NamedTuple):
    """Features (B, 2048); logits (B, kinds)."""

    features: Tensor
    logits: Tensor


class Inception(nn.Module):
    """See pictures (B, 3, H, W) in [-1, 1]; those of another side than `px` are resized.

    Differs from torchvision's Inception-v3: means over 3 × 3 leave the padding out, the last block
    takes the maximum instead (but for TF-Slim's), and there are 1008 kinds.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.px, self.biased = settings.px, settings.biased
        self.first = int(settings.slim)
        if settings.px < LEAST_PX or 16 % settings.thinner:
            raise UsageError(
                f"Inception cannot see {settings.px} px with a {settings.thinner}th of its "
                "channels",
                hint=f"px must be {LEAST_PX} or more, and thinner divide 16",
            )
        conv = thinned(settings.thinner)
        self.Conv2d_1a_3x3 = conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, 3)
        self.Conv2d_2b_3x3 = conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = conv(64, 80, 1)
        self.Conv2d_4a_3x3 = conv(80, 192, 3)
        self.Mixed_5b = BlockA(192, 32, conv, mean)
        self.Mixed_5c = BlockA(256, 64, conv, mean)
        self.Mixed_5d = BlockA(288, 64, conv, mean)
        self.Mixed_6a = BlockB(288, conv)
        self.Mixed_6b = BlockC(128, conv, mean)
        self.Mixed_6c = BlockC(160, conv, mean)
        self.Mixed_6d = BlockC(160, conv, mean)
        self.Mixed_6e = BlockC(192, conv, mean)
        self.Mixed_7a = BlockD(conv)
        self.Mixed_7b = BlockE(1280, conv, mean)
        self.Mixed_7c = BlockE(2048, conv, mean if settings.slim else maximum)
        self.fc = nn.Linear(2048 // settings.thinner, self.first + settings.kinds)
        if settings.slim:
            self.apply(without_gain)

    def forward(self, images: Tensor) -> Seen:
        features = self.maps(images)[-1].mean(dim=(2, 3))
        bias = self.fc.bias[self.first :] if self.biased else None
        return Seen(features, F.linear(features, self.fc.weight[self.first :], bias))

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """What is seen at four depths: at the official sizes of 64, 192, 768 and 2048 channels."""
        size = (self.px, self.px)
        resized = F.interpolate(images.float(), size, mode="bilinear", align_corners=False)
        hidden = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(resized)))
        first = F.max_pool2d(hidden, 3, stride=2)
        second = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(first)), 3, stride=2)
        hidden = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(second)))
        hidden = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(hidden)))
        third = self.Mixed_6e(self.Mixed_6d(hidden))
        return first, second, third, self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(third)))


def without_gain(layer: nn.Module) -> None:
    """Let a norm only shift: before a ReLU the next layer can scale as well."""
    if isinstance(layer, nn.BatchNorm2d):
        gains = torch.ones_like(layer.weight)
        del layer.weight
        layer.register_buffer("weight", gains, persistent=False)


def mean(hidden: Tensor) -> Tensor:
    """Of 3 × 3; the padding does not count."""
    return F.avg_pool2d(hidden, 3, stride=1, padding=1, count_include_pad=False)


def maximum(hidden: Tensor) -> Tensor:
    """Of 3 × 3."""
    return F.max_pool2d(hidden, 3, stride=1, padding=1)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix."""
    return {"image": Inception(settings)}


RENAMES = {"image": {name: name for name in (*inception.NAMES, "fc")}}
"""Names in `pt_inception-2015-12-05` -> ours."""


def _branch(name: str, *ends: str) -> dict[str, str]:
    """TF-Slim's convolutions of a branch, which it numbers, -> ours."""
    scopes = ("Conv", *(f"Conv_{place}" for place in range(1, len(ends))))
    return {f"{name}.{scope}": f"{name}{end}" for scope, end in zip(scopes, ends, strict=True)}


_POOLED = {
    **_branch("branch1x1", ""),
    **_branch("branch5x5", "_1", "_2"),
    **_branch("branch3x3dbl", "_1", "_2", "_3"),
    **_branch("branch_pool", ""),
}
_HALVED = {**_branch("branch3x3", ""), **_branch("branch3x3dbl", "_1", "_2", "_3")}
_CROSSED = {
    **_branch("branch1x1", ""),
    **_branch("branch7x7", "_1", "_2", "_3"),
    **_branch("branch7x7dbl", "_1", "_2", "_3", "_4", "_5"),
    **_branch("branch_pool", ""),
}
_HALVED_AGAIN = {
    **_branch("branch3x3", "_1", "_2"),
    **_branch("branch7x7x3", "_1", "_2", "_3", "_4"),
}
_FORKED = {
    **_branch("branch1x1", ""),
    **_branch("branch3x3", "_1", "_2a", "_2b"),
    **_branch("branch3x3dbl", "_1", "_2", "_3a", "_3b"),
    **_branch("branch_pool", ""),
}
SLIM_LAYERS = {
    **{f"conv{place}": name for place, name in enumerate(inception.NAMES[:5])},
    **{
        f"{scope}.{theirs}": f"{block}.{ours}"
        for scope, block, convolutions in (
            ("mixed_35x35x256a", "Mixed_5b", _POOLED),
            ("mixed_35x35x288a", "Mixed_5c", _POOLED),
            ("mixed_35x35x288b", "Mixed_5d", _POOLED),
            ("mixed_17x17x768a", "Mixed_6a", _HALVED),
            ("mixed_17x17x768b", "Mixed_6b", _CROSSED),
            ("mixed_17x17x768c", "Mixed_6c", _CROSSED),
            ("mixed_17x17x768d", "Mixed_6d", _CROSSED),
            ("mixed_17x17x768e", "Mixed_6e", _CROSSED),
            ("mixed_17x17x1280a", "Mixed_7a", _HALVED_AGAIN),
            ("mixed_8x8x2048a", "Mixed_7b", _FORKED),
            ("mixed_8x8x2048b", "Mixed_7c", _FORKED),
        )
        for theirs, ours in convolutions.items()
    },
}
"""TF-Slim's convolutions -> ours, a dot for its slash."""
SLIM = {
    **{f"{theirs}.weights": f"{ours}.conv.weight" for theirs, ours in SLIM_LAYERS.items()},
    **{
        f"{theirs}.BatchNorm.{name}": f"{ours}.bn.{own}"
        for theirs, ours in SLIM_LAYERS.items()
        for name, own in (
            ("beta", "bias"),
            ("moving_mean", "running_mean"),
            ("moving_variance", "running_var"),
        )
    },
    "logits.logits.weights": "fc.weight",
    "logits.logits.biases": "fc.bias",
    "aux_logits": "",
}
"""Names in TF-Slim's `model.ckpt` -> ours."""
