"""Captions become pictures."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from t2i.runtime import classes, noise, places
from t2i.runtime.archives import AGAIN
from t2i.runtime.blend import FRAMES, Between, blend, way
from t2i.runtime.bundle import Bundle, Graph, Tensor
from t2i.runtime.decode import Decoder, Opening, Sampling
from t2i.runtime.errors import BundleError, UsageError, did_you_mean
from t2i.runtime.noise import Held
from t2i.runtime.painting import Caption, Painting, refuse_tokens, refuse_what_draws_no_captions
from t2i.runtime.pictures import Pixels, fitted, to_pixels, to_planes
from t2i.runtime.proof import SelfTest, replay
from t2i.runtime.sessions import Arrays, Session, not_a_number, open_session, usable_threads
from t2i.runtime.text import Reading, Tokenizer
from t2i.runtime.vectors import open_vectors
from t2i.runtime.waiting import Waiting

if TYPE_CHECKING:
    from concurrent.futures import Future

TOGETHER, ROOM = 8, 64
"""Captions that are drawn at once, and that may wait where many are submitted."""


def load(
    model: str | Path = "birds",
    *,
    device: str = "auto",
    threads: int | None = None,
    low_memory: bool = False,
    quick: bool = False,
    nearest_class: bool = False,
    embeddings: str | Path | None = None,
    sampling: Sampling | None = None,
    opening: Opening | None = None,
) -> "Painter":
    """Get a bundle ready to draw.

    Args:
        model: name or path of a bundle.
        device: `auto` (the best that starts), `cpu`, `cuda` or `tensorrt`.
        threads: None for as many as this process may use.
        low_memory: draw one picture at a time and keep no memory between them.
        quick: for a single picture: starts sooner, then draws slower.
        nearest_class: of a bundle that draws classes: take the class that a caption is near to.
        embeddings: of a bundle that reads no captions: the file that holds their vectors.
        sampling: of a bundle that draws token by token: how.
        opening: of such a bundle: the picture whose first rows all pictures have.

    Raises:
        BundleError: there is no such bundle, it is damaged, or it draws no captions.
        DataError: the file of vectors cannot be read.
        DeviceError: the asked device cannot be used here.
        UsageError: it draws no classes to be near to, or vectors are missing or of no use; or it
            draws no tokens, or these cannot be drawn so.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads cannot run", hint="--threads takes 1 or more")
    bundle = Bundle.load(places.find(str(model)))
    return Painter(
        bundle,
        device=device,
        threads=threads,
        low_memory=low_memory,
        quick=quick,
        nearest_class=nearest_class,
        embeddings=None if embeddings is None else Path(embeddings),
        sampling=sampling,
        opening=opening,
    )


class Painter:
    """A bundle ready to draw. Several threads may use one at once."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        threads: int | None = None,
        low_memory: bool = False,
        quick: bool = False,
        nearest_class: bool = False,
        embeddings: Path | None = None,
        sampling: Sampling | None = None,
        opening: Opening | None = None,
    ) -> None:
        refuse_what_draws_no_captions(bundle)
        self.bundle = bundle
        self.manifest = bundle.manifest
        self.draws_classes = bundle.manifest.condition == "class"
        self.nearest_class = nearest_class
        if nearest_class and not self.draws_classes:
            raise UsageError(
                f"{bundle.name} draws captions, and knows no classes",
                hint="leave out --nearest-class",
            )
        self._vectors = open_vectors(bundle, embeddings)
        self.threads = threads or usable_threads()
        self.low_memory = low_memory
        # What runs once a token is worth a slower start.
        quick = quick and self.manifest.pipeline != "tokens"
        self._open = partial(open_session, bundle, low_memory=low_memory, quick=quick)
        self._tokenizer: Tokenizer | None = None
        if text := self.manifest.text:
            self._tokenizer = Tokenizer.from_json(bundle.read(text.tokenizer), text)
            if self.draws_classes:
                classes.refuse_other_names(self.manifest, self._tokenizer)
        self._sessions: dict[str, Session] = {}
        self._generator: Session | Decoder
        if self.manifest.pipeline == "tokens":
            self._sessions["prefill"] = self._open("prefill", device=device, threads=self.threads)
            self._generator = self._decoder(device, sampling or Sampling(), opening)
        else:
            refuse_tokens(self.manifest.name, sampling, opening)
            self._generator = self._open("generator", device=device, threads=self.threads)
            self._sessions["generator"] = self._generator
            if self._tokenizer:
                # Reading is a thousandth of the work: on a card it would only cost copies.
                self._sessions["text"] = self._open("text", device="cpu", threads=1)
        self.device = self._generator.device
        together = 1 if low_memory else TOGETHER
        self._waiting = Waiting(self._serve, most=together, room=ROOM)

    def close(self) -> None:
        """Free all memory. What waits is cancelled; what is being drawn is finished first."""
        self._waiting.close()
        opened = [self._inverter] if "_inverter" in self.__dict__ else []
        for session in (*opened, *self._sessions.values()):
            session.close()

    def _decoder(self, device: str, sampling: Sampling, opening: Opening | None) -> Decoder:
        """What draws token by token."""
        pairs = self._tokenizer.pairs if self._tokenizer else None
        if not pairs:
            raise BundleError(
                f"{self.manifest.name} draws tokens, and reads no byte pairs", hint=AGAIN
            )
        session, empty = self._sessions["prefill"], np.array([[pairs.start, pairs.end]])
        decoder = Decoder(
            self.bundle,
            partial(self._open, device=device, threads=self.threads),
            sampling,
            silent=lambda: session.run({"tokens": empty}, [each.name for each in session.outputs]),
            opening=opening,
        )
        self._sessions |= decoder.sessions
        return decoder

    @cached_property
    def _inverter(self) -> Session:
        """Opened when it is first needed: who only draws does not wait for it."""
        return self._open("invert", device=self.device, threads=self.threads, quick=False)

    @property
    def graph(self) -> Graph:
        """The one that draws, whole pictures or tokens."""
        return self.bundle.graph("step" if "prefill" in self._sessions else "generator")

    @property
    def outputs(self) -> tuple[str, ...]:
        """What `paint` can be asked for: `image`, smaller stages, attentions."""
        return tuple(each.name for each in self._generator.outputs)

    @property
    def stages(self) -> dict[str, int]:
        """The smaller or earlier pictures among `outputs`, and the number in the name of each: its
        tokens or its width; where there is none, its width."""
        named: dict[str, Tensor] = {each.name: each for each in self._generator.outputs}
        return {
            name: int(
                number if (number := name.removeprefix("image_")).isdigit() else each.shape[-1]
            )
            for name, each in named.items()
            if name.startswith("image_")
        }

    @property
    def vocabulary(self) -> Collection[str]:
        """The words, class names, characters or byte pairs that it knows."""
        return self._tokenizer.vocabulary if self._tokenizer else ()

    @property
    def unit(self) -> str:
        """What it reads one by one: `word`, `character` or `token`."""
        return self._tokenizer.unit if self._tokenizer else "word"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about this bundle on this device."""
        if self.device == "cpu" and self.manifest.precision == "fp16":
            return ("this bundle computes in fp16, which is no faster on cpu: see t2i-export",)
        return ()

    def __call__(self, caption: str, *, seed: int = 0) -> Image.Image:
        """Draw one caption."""
        return Image.fromarray(self.draw([caption], seed=seed)[0])

    def submit(
        self, caption: str, *, seed: int = 0, timeout: float | None = None
    ) -> "Future[Image.Image]":
        """Draw one caption soon: with others that wait, in a thread of the painter's own.

        For programs that serve many people; the picture is that of a call, but for one level.

        Args:
            timeout: seconds to wait for room where 64 wait already; None for as long as it takes.

        Raises:
            TextError: nothing in the caption can be drawn.
            UsageError: the seed is out of range; or the painter is closed.
            BusyError: there was no room in that time.
        """
        noise.refuse_out_of_range(seed)
        return self._waiting.submit((self.read(caption), seed), timeout)

    def draw(
        self,
        captions: Sequence[str],
        *,
        seed: int = 0,
        batch_size: int = 8,
        hold: Sequence[str] | Mapping[str, Held] = (),
    ) -> npt.NDArray[np.uint8]:
        """Draw one picture a caption: (B, H, W, 3), RGB. Picture i has the seed `seed + i`.

        A caption's picture depends on its text and its seed, not on its neighbours; another
        batch size may differ by one level.

        Args:
            hold: names of noises that all pictures share, drawn from `seed`, such as `noise`; or
                what `invert` tells of a picture.

        Raises:
            TextError: nothing in a caption can be drawn.
            UsageError: there is no such noise, or a seed is out of range.
        """
        readings = [self.read(caption) for caption in captions]
        seeds = range(seed, seed + len(readings))
        held = hold if isinstance(hold, Mapping) else dict.fromkeys(hold, seed)
        return self._draw(readings, seeds, batch_size, held)

    def interpolate(
        self, start: str, end: str, *, frames: int = FRAMES, seed: int = 0, batch_size: int = 8
    ) -> npt.NDArray[np.uint8]:
        """Draw the way from one caption to another, all from one seed: (frames, H, W, 3), RGB.

        Raises:
            TextError: nothing in a caption can be drawn.
            UsageError: two frames are the fewest; or this bundle reads no captions.
        """
        return self._draw(self.way(start, end, frames), [seed] * frames, batch_size, {})

    def paint(
        self,
        captions: Sequence[Caption],
        *,
        seeds: Sequence[int],
        outputs: Sequence[str] = ("image",),
        hold: Mapping[str, Held] | None = None,
    ) -> Painting:
        """Draw one batch, each caption with its seed, and what else is asked for.

        Args:
            outputs: names among `self.outputs`.
            hold: names of noises that all pictures share, each with the seed it is drawn from, or
                with its values.

        Raises:
            TextError: nothing in a caption can be drawn.
            UsageError: there is no such output or noise, or a seed is out of range.
        """
        for name in outputs:
            if name not in self.outputs:
                raise UsageError(
                    f"{self.manifest.name} has no output {name!r}",
                    hint=did_you_mean(name, self.outputs),
                )
        drawn_noise = noise.draw(seeds, self.manifest.noise, hold)
        feeds: Arrays = {**drawn_noise, **self._read(captions)}
        wanted = [each.name for each in self._generator.inputs]
        drawn = self._generator.run(
            {name: feeds[name] for name in wanted}, list(dict.fromkeys(["image", *outputs]))
        )
        images = {name: array for name, array in drawn.items() if name.startswith("image")}
        pixels = {name: self._pixels(image) for name, image in images.items()}
        return Painting(
            pictures=pixels.pop("image"),
            stages={self.stages[name]: stage for name, stage in pixels.items()},
            attentions={name: drawn[name] for name in drawn if name not in images},
        )

    def invert(self, picture: Pixels) -> dict[str, npt.NDArray[np.float32]]:
        """The noises from which a picture would have been drawn: its style, for `draw` to hold.

        Args:
            picture: (H, W, 3) of any size; its middle is looked at.

        Raises:
            BundleError: this bundle cannot tell them.
        """
        px = self.manifest.image_px
        outputs = [each.name for each in self._inverter.graph.outputs]
        planes = to_planes([fitted(picture, px)])
        told = self._inverter.run({"image": planes}, outputs)
        return {name: values[0] for name, values in told.items()}

    def read(self, caption: str) -> Reading:
        """What this bundle understands of a caption, or of the name of a class.

        Raises:
            TextError: nothing of it.
        """
        if self._vectors:
            return self._vectors.read(caption)
        if not self._tokenizer:
            return Reading((), (), (), 0)
        if self.draws_classes:
            caption = classes.class_of(caption, self.vocabulary, nearest=self.nearest_class)
        return self._tokenizer.read(caption)

    def way(self, start: str, end: str, frames: int) -> list[Between]:
        """Captions, or names of classes, and what lies evenly between them, to be painted.

        Raises:
            TextError: nothing in a caption can be drawn.
            UsageError: two frames are the fewest; or this bundle reads no captions.
        """
        if not (self._tokenizer or self._vectors):
            raise UsageError(
                f"{self.manifest.name} reads no captions, so there is no way between two",
                hint="leave out --interpolate; `t2i-run --list` shows what reads captions",
            )
        return way(self.read(start), self.read(end), frames)

    def selftest(self) -> SelfTest:
        """Draw the proof again and compare it with PyTorch's."""
        return replay(self.bundle, self._sessions)

    def _draw(
        self,
        captions: Sequence[Caption],
        seeds: Sequence[int],
        batch_size: int,
        hold: Mapping[str, Held],
    ) -> npt.NDArray[np.uint8]:
        size = 1 if self.low_memory else max(1, batch_size)
        px = self.manifest.image_px
        drawn = np.empty((len(captions), px, px, 3), np.uint8)
        for start in range(0, len(captions), size):
            part = slice(start, start + size)
            painting = self.paint(captions[part], seeds=seeds[part], hold=hold)
            drawn[part] = painting.pictures
        return drawn

    def _serve(self, orders: Sequence[tuple[Reading, int]]) -> list[Image.Image]:
        readings, seeds = zip(*orders, strict=True)
        return [Image.fromarray(each) for each in self.paint(readings, seeds=seeds).pictures]

    def _read(self, captions: Sequence[Caption]) -> Arrays:
        """What captions become for the generator."""
        read = [self.read(each) if isinstance(each, str) else each for each in captions]
        readings = [each for each in read if isinstance(each, Reading)]
        if len(readings) == len(read):
            return self.encode(readings)
        places = [each if isinstance(each, Between) else Between(each, each, 0.0) for each in read]
        starts = self.encode([place.start for place in places])
        ends = self.encode([place.end for place in places])
        said = [each for each in self._generator.inputs if each.name in starts]
        return blend(places, starts, ends, said)

    def encode(self, readings: Sequence[Reading]) -> Arrays:
        """What the text graph makes of captions, as far as the generator asks for it."""
        if self._vectors:
            return {"sentence": self._vectors.sentences(readings)}
        if not self._tokenizer:
            return {}
        text = self._sessions["text" if "text" in self._sessions else "prefill"]
        wanted = {each.name for each in self._generator.inputs}
        outputs = [each.name for each in text.outputs if each.name in wanted]
        return text.run({"tokens": self._tokenizer.encode(readings)}, outputs)

    def _pixels(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        if not np.isfinite(images).all():
            raise not_a_number(self.manifest.name, "draw")
        return to_pixels(images, self.manifest.pixels)
