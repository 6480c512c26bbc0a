"""VS similarity: a picture and a sentence as directions in one space, told apart by an angle.

Source: HDGAN, Zhang, Xie and Yang, CVPR 2018. Official code: ypxie/HDGan
(`HDGan/neuralDist/neuralDistModel.py`). Its loss is in `train/losses/ranking.py`.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from t2i.models import charcnnrnn
from t2i.models.encoders import inception, inceptionresnet, small
from t2i.runtime.errors import UsageError

Image = Literal["inceptionresnet", "inception", "small"]
Trunk = inceptionresnet.InceptionResNetTrunk | inception.InceptionTrunk | small.SmallTrunk
OWN_PX = {"inceptionresnet": inceptionresnet.PX, "inception": inception.PX}
"""Side that these trunks see pictures at, whatever is asked."""


@dataclass(frozen=True)
class Settings(charcnnrnn.TextSettings):
    """Sizes of all networks, the text encoder's among them; the defaults are the paper's."""

    image: Image = "inceptionresnet"
    """Trunk that sees the pictures."""
    image_width: int = 32
    """Channels of the small trunk's first layer; the others have their own."""
    thinner: int = 1
    """By what the channels of Inception-ResNet-v2 are divided: a divisor of 16."""
    image_px: int = inceptionresnet.PX
    """Side to which pictures are resized first: 299, and for the small trunk a multiple of 8."""
    space_size: int = 512
    """Dimensions in which pictures and sentences meet."""


class Space(nn.Module):
    """A linear map of either side into the space, where length does not count.

    Source: official name `ImgSenRanking`.
    """

    def __init__(self, image_size: int, text_size: int, space_size: int) -> None:
        super().__init__()
        self.image = nn.Linear(image_size, space_size)
        self.sentence = nn.Linear(text_size, space_size)
        for side in (self.image, self.sentence):
            # Called Xavier there, whose √6 bounds a uniform draw; here it is the deviation.
            nn.init.normal_(side.weight, 0.0, (6 / sum(side.weight.shape)) ** 0.5)
            nn.init.zeros_(side.bias)

    def place_image(self, pooled: Tensor) -> Tensor:
        """What a trunk saw of pictures (B, F) -> codes (B, D) of length 1."""
        return F.normalize(self.image(pooled))

    def place_sentence(self, sentence: Tensor) -> Tensor:
        """What an encoder read (B, E) -> sentences (B, D) of length 1."""
        return F.normalize(self.sentence(sentence))


def trunk(settings: Settings) -> Trunk:
    """The trunk that is asked for.

    Raises:
        UsageError: it cannot see pictures of this size.
    """
    if settings.image == "small":
        return small.SmallTrunk(settings.image_width, settings.image_px)
    small.refuse_other_px(settings.image, OWN_PX[settings.image], settings.image_px)
    if settings.image == "inception":
        return inception.InceptionTrunk(align_corners=False)
    if 16 % settings.thinner:
        raise UsageError(
            f"Inception-ResNet-v2 cannot have a {settings.thinner}th of its channels",
            hint="thinner must divide 16",
        )
    return inceptionresnet.InceptionResNetTrunk(settings.thinner)


def networks(settings: Settings) -> dict[str, nn.Module]:
    """What a run saves and an export reads, by prefix; the text encoder is a char-CNN-RNN's."""
    image = trunk(settings)
    return {
        "text": charcnnrnn.TextEncoder(settings),
        "image": image,
        "space": Space(image.pooled_size, settings.text_size, settings.space_size),
    }


_PLACES = (0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14)
"""Where the trunk's children stand among those of the port, its pools included."""

RENAMES = {
    "text": charcnnrnn.RENAMES["text"],
    "image": {
        **{name: name for name in inceptionresnet.NAMES},
        **{
            f"encoder.{place}": name
            for place, name in zip(_PLACES, inceptionresnet.NAMES, strict=True)
        },
        **dict.fromkeys(("classif", "last_linear", "device_id"), ""),
    },
    "space": {"linear_img": "image", "linear_sent": "sentence", "device_id": ""},
}
"""Names in the port of the trunk and in the official networks -> ours; "" is of no use to us."""
