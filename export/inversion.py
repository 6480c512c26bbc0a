"""The bundle of an inversion: a picture becomes latents, and latents with grain a picture."""

import torch

from t2i.export import stylegan2
from t2i.export.plan import Captions, Host, Output, Plan, Tensors, picture, pictures
from t2i.export.trained import Trained
from t2i.models import inversion
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph each way."""
    sizes: inversion.Settings = trained.sizes
    encoder = Output(trained.networks["encoder"])
    shown = pictures((sizes.image_px, sizes.image_px))

    def told(batch: int, kind: Captions) -> Tensors:
        with torch.no_grad():
            (found,) = encoder(shown(batch, kind)["image"])
        return {"latents": found}

    image = Plan(
        "image",
        encoder,
        inputs=(picture(sizes.image_px),),
        outputs=(stylegan2.latents(sizes),),
        examples=shown,
    )
    return image, stylegan2.drawing(stylegan2.generator_of(trained), sizes, told)


def host(trained: Trained) -> Host:
    """Nothing but grain is left to chance."""
    sizes: inversion.Settings = trained.sizes
    grain = bundle.Noise("grain", (sizes.grain_size,))
    return Host(image_px=sizes.image_px, noise=(grain,), condition="none")
