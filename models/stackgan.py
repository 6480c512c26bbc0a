"""StackGAN, stage II: the picture of stage I and the sentence, read again, become a large picture.

Source: Zhang et al., ICCV 2017 (arXiv 1612.03242), section 3.4. Official code:
hanzhanggit/StackGAN-Pytorch (`model.py`), whose sizes for COCO are the defaults.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from t2i.models import charcnnrnn, stackgan1
from t2i.models.attngan import Critic
from t2i.models.blocks.convolution import conv3x3
from t2i.models.blocks.rectified import Residual, rectified3x3, up
from t2i.models.stackgan1 import ConditioningAugmentation, Drawn, halved


@dataclass(frozen=True)
class Settings(stackgan1.Settings):
    """Sizes of all networks: those of stage I, and what stage II adds."""

    refiner_width: int = 192
    """A quarter of the channels of stage II at its smallest map (GF_DIM)."""
    residuals: int = 2
    """Residual blocks of stage II (R_NUM; CUB and flowers 4)."""

    @property
    def image_px(self) -> int:
        """Side of the pictures of stage II."""
        return 4 * self.first_px

    @property
    def detail_size(self) -> int:
        """Channels of the draw from which the conditions of both stages are sampled."""
        return 2 * self.condition_size


class Generator(nn.Module):
    """Draw sentences: stage I, which does not learn any more, and stage II.

    Shapes:
        noise (B, Z), detail (B, 2·C), both standard normal, the first half of `detail` for the
        condition of stage I; sentence (B, E) -> `Drawn`, two pictures

    Source: official name `STAGE2_G`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, condition_size = settings.refiner_width, settings.condition_size
        self.first = stackgan1.Generator(settings)
        self.condition = ConditioningAugmentation(settings.text_size, condition_size)
        self.look = nn.Sequential(
            *(conv3x3(3, width), nn.ReLU()),
            *halve(width, 2 * width),
            *halve(2 * width, 4 * width),
        )
        self.join = rectified3x3(condition_size + 4 * width, 4 * width)
        self.residuals = nn.Sequential(*(Residual(4 * width) for _ in range(settings.residuals)))
        widths = halved(4 * width, times=4)
        self.grow = nn.Sequential(*(up(wide, narrow) for wide, narrow in pairwise(widths)))
        self.head = nn.Sequential(conv3x3(widths[-1], 3), nn.Tanh())

    def forward(self, noise: Tensor, detail: Tensor, sentence: Tensor) -> Drawn:
        first_detail, second_detail = detail.chunk(2, dim=1)
        small = self.first(noise, first_detail, sentence).images[0].detach()
        condition, mean, log_variance = self.condition(sentence, second_detail)
        seen = self.look(small)
        beside = condition[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        hidden = self.residuals(self.join(torch.cat([seen, beside], dim=1)))
        return Drawn((small, self.head(self.grow(hidden))), mean, log_variance)


def halve(inputs: int, outputs: int) -> nn.Sequential:
    """Half the height and width: (B, inputs, H, W) -> (B, outputs, H/2, W/2)."""
    conv = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is that of stage I."""
    return {"text": charcnnrnn.TextEncoder(settings), "generator": Generator(settings)}


def critic(settings: Settings) -> Critic:
    """Judges pictures by themselves, and beside conditions of stage II.

    Source: official name `STAGE2_D`.
    """
    return Critic(settings.critic_width, settings.image_px, settings.condition_size)


RENAMES = {
    "text": stackgan1.RENAMES["text"],
    "generator": {
        **{
            f"STAGE1_G.{official}": f"first.{ours}"
            for official, ours in stackgan1.RENAMES["generator"].items()
        },
        "ca_net.fc": "condition.project.0",
        "encoder": "look",
        "hr_joint": "join",
        "residual": "residuals",
        **{f"upsample{i + 1}": f"grow.{i}" for i in range(4)},
        "img": "head",
    },
    "critic": stackgan1.RENAMES["critic"],
}
"""Official names of the networks of stage II -> ours."""
