"""The bundle of an inversion: a picture becomes latents, and latents with grain a picture."""

import torch

from t2i.export import stylegan2
from t2i.export.charcnnrnn import Output
from t2i.export.plan import Captions, Host, Plan, Tensors, draws
from t2i.export.trained import Trained
from t2i.models import inversion
from t2i.runtime import bundle


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph each way."""
    sizes: inversion.Settings = trained.sizes
    encoder, px = Output(trained.networks["encoder"]), sizes.image_px

    def pictures(batch: int, kind: Captions) -> Tensors:
        flat = draws(batch, 3 * px * px, stream=3)
        return {"image": torch.tanh(flat).reshape(batch, 3, px, px)}

    def told(batch: int, kind: Captions) -> Tensors:
        with torch.no_grad():
            (found,) = encoder(pictures(batch, kind)["image"])
        return {"latents": found}

    image = Plan(
        "image",
        encoder,
        inputs=(stylegan2.image(sizes),),
        outputs=(stylegan2.latents(sizes),),
        examples=pictures,
    )
    return image, stylegan2.drawing(stylegan2.generator_of(trained), sizes, told)


def host(trained: Trained) -> Host:
    """Nothing but grain is left to chance."""
    sizes: inversion.Settings = trained.sizes
    grain = bundle.Noise("grain", (sizes.grain_size,))
    return Host(image_px=sizes.image_px, noise=(grain,), condition="none")
