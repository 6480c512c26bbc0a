"""A trained DAMSM at work in another recipe: it encodes captions and judges pictures, frozen."""

import torch
from torch import Tensor, nn

from t2i.models import damsm
from t2i.runtime.records import decode
from t2i.train.data.batch import Batch
from t2i.train.losses import matching
from t2i.train.prerequisites import Needed


class FrozenMatcher:
    """Both encoders, in eval mode and without gradients of their own.

    Pictures get gradients through the image encoder; captions are encoded without.
    """

    def __init__(self, trained: Needed, device: torch.device) -> None:
        self.sizes = decode(damsm.Settings, trained.recipe.network)
        self.networks = nn.ModuleDict(damsm.networks(self.sizes))
        self.networks.load_state_dict(trained.state)
        self.networks.to(device).eval().requires_grad_(requires_grad=False)
        settings = trained.recipe.settings
        self.sharpness = decode(matching.Sharpness, settings["sharpness"])
        self.classes_apart: bool = settings["classes_apart"]

    @property
    def text(self) -> damsm.TextEncoder:
        encoder = self.networks["text"]
        assert isinstance(encoder, damsm.TextEncoder)
        return encoder

    @property
    def image(self) -> damsm.ImageEncoder:
        encoder = self.networks["image"]
        assert isinstance(encoder, damsm.ImageEncoder)
        return encoder

    def losses(
        self, pictures: Tensor, text: damsm.EncodedText, batch: Batch, weight: float
    ) -> dict[str, Tensor]:
        """The four DAMSM terms of generated pictures (B, 3, H, W), times `weight`."""
        image = self.image(pictures)
        views = matching.Views(image.regions, image.code, text.words, text.sentence, text.mask)
        classes = batch.labels if self.classes_apart else None
        terms = matching.losses(views, classes, self.sharpness)
        return {name: weight * term for name, term in terms.items()}
