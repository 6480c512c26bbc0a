"""A picture told as a latent, which then moves, by a bundle with the graphs `image` and `edit`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from t2i.runtime.bundle import Tensor
from t2i.runtime.draw import Painter
from t2i.runtime.errors import PictureError
from t2i.runtime.pictures import Pixels, fitted, to_pixels, to_planes
from t2i.runtime.sessions import Arrays, not_a_number, open_session
from t2i.runtime.text import Reading

STEPS = 60
STRENGTH = 0.7
RATE = 0.03
"""How far a number of a latent moves in the first step."""
DECAYS = (0.9, 0.999)
TINY = 1e-8
PATIENCE = 20
"""Steps without a gain after which a latent stays."""
GAIN = 1e-3
"""Share of the loss that is a gain."""
SMALLEST = 2
"""A picture may have so many times fewer pixels along a side than the bundle draws."""

Latent = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Told:
    """A picture, and what is told of it."""

    latent: Latent
    """(S,)."""
    picture: Pixels
    """(px, px, 3), as it was looked at."""
    mirrored: bool
    """Whether that is a mirror image, because the generator draws what faces the other way."""

    def shown(self, picture: Pixels, facing: float = 0.0) -> Pixels:
        """What was drawn, facing as the picture does, or as a caption says: -1 left, 1 right."""
        left = facing < 0 or (facing == 0 and self.mirrored)
        return np.ascontiguousarray(picture[:, ::-1]) if left else picture


@dataclass(frozen=True)
class Moved:
    """A latent on its way."""

    latent: Latent
    """The best so far (S,)."""
    picture: Pixels
    """What it draws (px, px, 3)."""
    losses: tuple[float, ...]
    """Of every place, the first included."""
    done: bool
    """Whether it stays here."""


@dataclass(frozen=True)
class Wish:
    """A caption as the generator's latent, and which way it wants the bird to face."""

    latent: Latent
    """(S,)."""
    facing: float


class Editor:
    """A bundle that edits pictures, ready to."""

    def __init__(self, painter: Painter) -> None:
        """
        Raises:
            BundleError: it cannot.
        """
        self.painter, self.manifest = painter, painter.manifest
        self._image, self._step = (
            open_session(painter.bundle, role, device=painter.device, threads=painter.threads)
            for role in ("image", "edit")
        )

    @property
    def space(self) -> str:
        """What its latents fit: all bundles of the same weights, by their SHA-256."""
        training = self.manifest.training
        return training.checkpoint if training else self.painter.bundle.sha256

    @property
    def latent_shape(self) -> tuple[int | str, ...]:
        """Of one latent: (S,)."""
        (latent,) = (each for each in self._step.inputs if each.name == "latent")
        return latent.shape[1:]

    @cached_property
    def _turns(self) -> bool:
        """Whether its generator draws birds that face right, and mirrors them."""
        text = self.painter.bundle.graph("text")
        return any(each.name == "facing" for each in text.outputs)

    def wish(self, caption: Reading) -> Wish:
        """What a caption asks for."""
        read = self.painter.encode([caption])
        return Wish(read["sentence"][0], float(read["facing"][0]) if "facing" in read else 0.0)

    def tell(self, picture: Pixels) -> Told:
        """The latent of the middle of a picture (H, W, 3).

        Raises:
            PictureError: it is too small to show anything.
        """
        px, side = self.manifest.image_px, min(picture.shape[:2])
        if side < px // SMALLEST:
            raise PictureError(
                f"the picture is {picture.shape[1]} × {picture.shape[0]}: too small, as "
                f"{self.manifest.name} looks at {px} × {px}",
                hint=f"take one of at least {px // SMALLEST} × {px // SMALLEST}",
            )
        seen = fitted(picture, px)
        ways = [seen, np.ascontiguousarray(seen[:, ::-1])] if self._turns else [seen]
        told = self._look(ways)
        strength = np.zeros(len(ways), np.float32)
        losses = self._run({**told, "strength": strength}, ["loss"])["loss"]
        best = int(losses.argmin())
        return Told(told["latent"][best], ways[best], mirrored=best == 1)

    def draw(self, latents: Latent) -> Pixels:
        """Latents (B, S) as pictures (B, H, W, 3), without grain."""
        return self._pixels(self._run({"latent": latents}, ["image"])["image"])

    def move(
        self, told: Told, wish: Wish, *, strength: float = STRENGTH, steps: int = STEPS
    ) -> Iterator[Moved]:
        """Lead a picture's latent towards a caption, step by step, by Adam.

        Args:
            strength: 0 … 1: how much the caption counts, and the less the picture does.

        Raises:
            BundleError: what is computed is not a number.

        Source:
            Kingma and Ba 2015, algorithm 1.
        """
        seen = self._look([told.picture])
        feeds = {**seen, "start": told.latent[None], "sentence": wish.latent[None]}
        feeds |= {"strength": np.array([strength], np.float32)}
        latent, best = told.latent, told.latent
        first = second = np.zeros_like(latent)
        losses: list[float] = []
        waited, least, picture = 0, np.inf, told.picture
        for step in range(steps + 1):
            found = self._run({**feeds, "latent": latent[None]}, ["loss", "slope", "image"])
            loss, slope = float(found["loss"][0]), found["slope"][0]
            if not (np.isfinite(loss) and np.isfinite(slope).all()):
                raise not_a_number(self.manifest.name, "edit")
            waited = 0 if loss < (1 - GAIN) * least else waited + 1
            if loss < least:
                least, best, picture = loss, latent, self._pixels(found["image"])[0]
            losses.append(loss)
            done = step == steps or waited >= PATIENCE
            yield Moved(best, picture, tuple(losses), done)
            if done:
                return
            first = DECAYS[0] * first + (1 - DECAYS[0]) * slope
            second = DECAYS[1] * second + (1 - DECAYS[1]) * slope**2
            mean, size = (
                moment / (1 - decay ** (step + 1))
                for moment, decay in zip((first, second), DECAYS, strict=True)
            )
            latent = (latent - RATE * mean / (np.sqrt(size) + TINY)).astype(np.float32)

    def _look(self, pictures: Sequence[Pixels]) -> Arrays:
        """What is told of pictures of the right size, and they themselves."""
        planes = to_planes(pictures)
        names = [each.name for each in self._image.outputs]
        return {"picture": planes, **self._image.run({"image": planes}, names)}

    def _run(self, given: Arrays, outputs: Sequence[str]) -> Arrays:
        """One step; what is not given and does not matter is zero."""
        count = len(given["latent"])
        feeds = {
            each.name: given[each.name] if each.name in given else _zeros(each, count)
            for each in self._step.inputs
        }
        return self._step.run(feeds, outputs)

    def _pixels(self, images: npt.NDArray[np.float32]) -> Pixels:
        if not np.isfinite(images).all():
            raise not_a_number(self.manifest.name, "edit")
        return to_pixels(images, self.manifest.pixels)


def _zeros(tensor: Tensor, count: int) -> npt.NDArray[np.float32]:
    sizes = [count if size == "B" else int(size) for size in tensor.shape]
    return np.zeros(sizes, np.float32)
