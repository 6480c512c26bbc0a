"""Captions near the latents of their pictures, and far from those of all others in a batch."""

import torch
from torch import Tensor

from t2i.train.losses import matching


def losses(
    sentences: Tensor, latents: Tensor, temperature: float, *, symmetric: bool
) -> dict[str, Tensor]:
    """InfoNCE, where likeness is minus the Euclidean distance.

    Args:
        sentences, latents: (B, S); pair i belongs together.
        temperature: what distances are divided by. They grow with √S, and with them what is meant
            by near.
        symmetric: pictures are to find their captions too; each direction counts half.

    Source:
        CI-GAN, Wang et al. 2021, text encoder learning; van den Oord et al. 2018, equation 4.
    """
    # Through a product of matrices small distances would be lost.
    distances = torch.cdist(
        sentences.float(), latents.float(), compute_mode="donot_use_mm_for_euclid_dist"
    )
    of_caption, of_picture = matching.both_ways(-distances / temperature, None)
    if not symmetric:
        return {"picture_of_caption": of_caption}
    return {"picture_of_caption": of_caption / 2, "caption_of_picture": of_picture / 2}
