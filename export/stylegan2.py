"""StyleGAN2's bundle: noise becomes latents, one a layer, and latents with grain a picture."""

import torch
from torch import Tensor, nn

from t2i.export.plan import Captions, Examples, Host, Plan, Tensors, draws, picture
from t2i.export.rewrite import rewrite
from t2i.export.trained import Trained
from t2i.models import stylegan2
from t2i.models.blocks.modulated import ModulatedConv2d
from t2i.runtime import bundle

DRAWS = 4096
"""Latents whose mean is the middle that truncation goes towards."""


def plans(trained: Trained) -> tuple[Plan, ...]:
    """One graph for each half of the generator."""
    generator, sizes = generator_of(trained), trained.sizes
    truncated = Truncated(generator, sizes.style_size)
    noise = bundle.Tensor("noise", "float32", ("B", sizes.style_size))

    def shares(batch: int, kind: Captions) -> Tensors:
        drawn = draws(batch, sizes.style_size, stream=1)
        return {"noise": drawn, "truncation": torch.linspace(1.0, 0.5, batch)}

    mapping = Plan(
        "mapping",
        truncated,
        inputs=(noise, bundle.Tensor("truncation", "float32", ("B",), (0.0, 1.0))),
        outputs=(latents(sizes),),
        examples=shares,
    )

    def mapped(batch: int, kind: Captions) -> Tensors:
        with torch.no_grad():
            (found,) = truncated(*shares(batch, kind).values())
        return {"latents": found}

    return mapping, drawing(generator, sizes, mapped)


def host(trained: Trained) -> Host:
    """Nothing but noise decides a picture."""
    sizes: stylegan2.Settings = trained.sizes
    return Host(image_px=sizes.image_px, noise=noises(sizes), condition="none")


def noises(sizes: stylegan2.Settings) -> tuple[bundle.Noise, ...]:
    """What the mapping takes, and what the layers add."""
    return (
        bundle.Noise("noise", (sizes.style_size,)),
        bundle.Noise("grain", (sizes.grain_size,)),
    )


def generator_of(trained: Trained) -> stylegan2.Generator:
    generator = trained.networks["generator"]
    assert isinstance(generator, stylegan2.Generator)
    return generator


def latents(sizes: stylegan2.Settings) -> bundle.Tensor:
    return bundle.Tensor("latents", "float32", ("B", sizes.layers, sizes.style_size))


def grain(sizes: stylegan2.Settings) -> bundle.Tensor:
    return bundle.Tensor("grain", "float32", ("B", sizes.grain_size))


def drawing(
    generator: stylegan2.Generator,
    sizes: stylegan2.Settings,
    found: Examples,
) -> Plan:
    """The graph that draws latents, in every bundle that has one.

    Args:
        found: examples of latents.
    """

    def latents_and_grain(batch: int, kind: Captions) -> Tensors:
        return {**found(batch, kind), "grain": draws(batch, sizes.grain_size, stream=2)}

    return Plan(
        "generator",
        Bounded(generator),
        inputs=(latents(sizes), grain(sizes)),
        outputs=(picture(sizes.image_px),),
        examples=latents_and_grain,
        rewrite=ungrouped,
    )


def ungrouped(network: nn.Module) -> nn.Module:
    """As `rewrite`; and no convolution has as many groups as a batch has pictures, which a graph
    for any batch cannot say. The numbers stay the same."""
    network = rewrite(network)
    for module in network.modules():
        if isinstance(module, ModulatedConv2d):
            module.grouped = False
    return network


class Truncated(nn.Module):
    """Latents of noise, for all layers; a truncation of less than 1 draws them to their mean.

    Shapes:
        noise (B, S), truncation (B,) -> (B, L, S)

    Source: StyleGAN, Karras et al. 2019, appendix B: ψ, and the mean w̄.
    """

    middle: Tensor

    def __init__(self, generator: stylegan2.Generator, noise_size: int) -> None:
        super().__init__()
        self.mapping, self.layers = generator.mapping, generator.layers
        with torch.no_grad():
            found = self.mapping(draws(DRAWS, noise_size, stream=3))
        self.register_buffer("middle", found.mean(dim=0))

    def forward(self, noise: Tensor, truncation: Tensor) -> tuple[Tensor]:
        latent = self.middle + truncation[:, None] * (self.mapping(noise) - self.middle)
        return (latent[:, None].expand(-1, self.layers, -1),)


class Bounded(nn.Module):
    """Pictures as hosts take them: what is brighter than white is white."""

    def __init__(self, generator: stylegan2.Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, latents: Tensor, grain: Tensor) -> tuple[Tensor]:
        return (self.generator(latents, grain).clamp(-1, 1),)
