"""The graphs by which CI-GAN edits a picture: what is told of it, and one step of its latent."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.export import gradient, stylegan2
from t2i.export.plan import Captions, Plan, Tensors, draws, picture
from t2i.export.trained import Trained
from t2i.models import cigan, judge
from t2i.models.encoders.vgg import VggTrunk
from t2i.runtime import bundle


def both_plans(trained: Trained, sentences: Callable[[int, Captions], Tensor]) -> tuple[Plan, Plan]:
    """A picture to its latent and to what is seen in it; these and a caption to a step.

    Args:
        sentences: examples of captions that were read.
    """
    sizes: cigan.Settings = trained.sizes
    image = picture(sizes.image_px)
    latent = bundle.Tensor("latent", "float32", ("B", sizes.style_size))
    telling = Telling(trained.networks, sizes).eval()
    step = Step(stylegan2.generator_of(trained), telling.eye, sizes).eval()
    examples = Checked(trained, telling, step, sentences)
    maps = [
        bundle.Tensor(name, "float32", ("B", *each.shape[1:]))
        for name, each in list(examples.told(1, "mixed").items())[1:]
    ]
    tensors = {
        "latent": latent,
        "sentence": replace(latent, name="sentence"),
        "strength": bundle.Tensor("strength", "float32", ("B",), (0.0, 1.0)),
        "picture": picture(sizes.image_px, "picture"),
        "start": replace(latent, name="start"),
        **{each.name: each for each in maps},
    }
    inputs = tuple(tensors[name] for name in step.inputs)

    def differentiated(module: nn.Module) -> nn.Module:
        found = examples.beginnings(2, "full")
        given = tuple(found[each.name] for each in inputs)
        return gradient.traced(stylegan2.ungrouped(module), given)

    outputs = (
        bundle.Tensor("loss", "float32", ("B",)),
        replace(latent, name="slope"),
        image,
    )
    return (
        Plan("image", telling, (image,), (latent, *maps), examples.pictures),
        Plan("edit", step, inputs, outputs, examples.beginnings, rewrite=differentiated),
    )


@dataclass(frozen=True)
class Checked:
    """What both graphs are checked on."""

    trained: Trained
    telling: nn.Module
    step: "Step"
    sentences: Callable[[int, Captions], Tensor]

    def pictures(self, batch: int, kind: Captions) -> Tensors:
        """Some that the generator draws."""
        sizes, generator = self.trained.sizes, stylegan2.generator_of(self.trained)
        noise, grain = (
            draws(batch, size, stream)
            for size, stream in ((sizes.style_size, 1), (sizes.grain_size, 2))
        )
        with torch.no_grad():
            image = generator(generator.spread(generator.mapping(noise)), grain)
        return {"image": image.clamp(-1, 1)}

    def told(self, batch: int, kind: Captions) -> dict[str, Tensor]:
        with torch.no_grad():
            found = self.telling(**self.pictures(batch, kind))
        return dict(zip(("latent", *self.step.seen), found, strict=True))

    def beginnings(self, batch: int, kind: Captions) -> Tensors:
        found = {
            "picture": self.pictures(batch, kind)["image"],
            **self.told(batch, kind),
            "sentence": self.sentences(batch, kind),
            "start": draws(batch, self.trained.sizes.style_size, stream=3),
            "strength": torch.linspace(0.0, 1.0, batch + 1)[1:],
        }
        return {name: found[name] for name in self.step.inputs}


class Telling(nn.Module):
    """The latent of a picture, and what the eye sees in it.

    Shapes:
        image (B, 3, px, px) in [-1, 1] -> (B, S), then each map (B, C, h, w)
    """

    def __init__(self, networks: dict[str, nn.Module], sizes: cigan.Settings) -> None:
        super().__init__()
        self.encoder = networks["encoder"]
        looked = "eye" in networks and sizes.likeness > 0
        self.eye = Eye(networks["eye"], sizes.image_px) if looked else None

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        seen = self.eye(image) if self.eye else ()
        return (self.encoder(image)[:, 0], *seen)  # all layers have the same latent


class Eye(nn.Module):
    """The maps by which a network compares pictures of one size.

    Resizing is a product with a matrix here, and pooling a maximum: both have gradients of plain
    operators.
    """

    enlarge: Tensor | None

    def __init__(self, network: nn.Module, px: int) -> None:
        super().__init__()
        self.network = _pooled(copy.deepcopy(network))
        self.register_buffer("enlarge", None)
        self.judges = not isinstance(network, VggTrunk)
        if isinstance(network, judge.Judge) and network.px != px:
            rows = torch.eye(px)[None, None]
            size = (network.px, px)
            resized = F.interpolate(rows, size, mode="bilinear", antialias=True)
            self.enlarge = resized[0, 0]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        if self.enlarge is not None:
            image = self.enlarge @ image @ self.enlarge.T
        look: Any = self.network.maps if self.judges else self.network
        maps: tuple[Tensor, ...] = look(image)
        return maps


class Pool(nn.Module):
    """The largest of each 2 x 2 pixels: (B, C, H, W) -> (B, C, H/2, W/2)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax(dim=(3, 5))


def _pooled(network: nn.Module) -> nn.Module:
    """The network itself, all its poolings of 2 x 2 replaced."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                setattr(parent, name, Pool())
    return network


class Step(nn.Module):
    """How far a latent is from its caption and its picture from the given one, and which way down.

    What is to be least is strength · ‖t − w‖² + (1 − strength) · (λ_F ‖F(x) − F(G(w))‖² +
    λ_pix ‖x − G(w)‖² + λ_w ‖w − w₀‖²), each distance a mean over its numbers, that of F summed over
    maps, and the sum divided by 1 + λ_F + λ_pix + λ_w, so that slopes of all settings are of one
    size. Pictures are drawn without grain, of which no latent knows.

    Shapes:
        `inputs` in their order: latent w, sentence t, start w₀ (B, S); strength (B,); picture
        x (B, 3, px, px) in [-1, 1]; maps of F(x) (B, C, h, w) -> loss (B,), its slope by w (B, S),
        image G(w) (B, 3, px, px)

    Source:
        CI-GAN, Wang et al. 2021, its last stage.
    """

    def __init__(self, generator: nn.Module, eye: Eye | None, sizes: cigan.Settings) -> None:
        super().__init__()
        self.generator, self.eye, self.sizes = generator, eye, sizes
        with torch.no_grad():
            count = len(eye(torch.zeros(1, 3, sizes.image_px, sizes.image_px))) if eye else 0
        self.seen = tuple(f"seen_{number}" for number in range(1, count + 1))
        self.weights = 1 + (sizes.likeness if eye else 0) + sizes.pixels + sizes.stay
        asked = {"picture": sizes.pixels, "start": sizes.stay}
        further = (name for name, weight in asked.items() if weight > 0)
        self.inputs = ("latent", "sentence", "strength", *further, *self.seen)

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        named = dict(zip(self.inputs, given, strict=True))

        def lost(latent: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            image = self.draw(latent)
            loss = self.loss(named | {"latent": latent}, image)
            return loss.sum(), (loss, image)  # pictures of a batch know nothing of each other

        slope, (loss, image) = torch.func.grad(lost, has_aux=True)(named["latent"])
        return loss, slope, image.clamp(-1, 1)

    def draw(self, latent: Tensor) -> Tensor:
        """(B, S) -> (B, 3, px, px)."""
        generator: Any = self.generator
        grain = latent.new_zeros(1, self.sizes.grain_size)
        image: Tensor = generator(generator.spread(latent), grain)
        return image

    def loss(self, named: Tensors, image: Tensor) -> Tensor:
        """What is to be least, of each picture (B,)."""
        sizes, latent, strength = self.sizes, named["latent"], named["strength"]
        held = torch.zeros_like(strength)
        if self.eye:
            pairs = zip(self.eye(image), (named[name] for name in self.seen), strict=True)
            gaps = [distance(found, wanted) for found, wanted in pairs]
            held = held + sizes.likeness * torch.stack(gaps).sum(dim=0)
        if sizes.pixels:
            held = held + sizes.pixels * distance(image, named["picture"])
        if sizes.stay:
            held = held + sizes.stay * distance(latent, named["start"])
        wished = distance(latent, named["sentence"])
        return (strength * wished + (1 - strength) * held) / self.weights


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared distance of what belongs to each picture: (B, …) -> (B,)."""
    return (one - other).square().flatten(1).mean(dim=1)
