"""A picture token by token: each is drawn from what a graph foretells after those before it.

The graph `step` reads keys and values of the caption, which stay, and of the picture's tokens, of
which one row is added a step. All of them lie in ONNX Runtime's own memory: a step writes its row
where the next one reads it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from t2i.runtime.bundle import Bundle, Tensor
from t2i.runtime.errors import UsageError
from t2i.runtime.pictures import Pixels, fitted, to_planes
from t2i.runtime.sessions import Arrays, Session, not_a_number

STAGES = 4
"""Parts of a picture after which it can be looked at."""
CACHE = {"key": "keys", "value": "values"}
"""What a step gives of its token, and what later ones read of all tokens."""
BLANK = 0.0
"""What stands where nothing is drawn yet: grey."""

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn from what was foretold."""

    temperature: float = 1.0
    """Logits are divided by it: below 1 likely tokens become likelier."""
    top_k: int | None = None
    """Only so many of the likeliest tokens are drawn."""
    top_p: float = 1.0
    """Only the likeliest tokens that together are so probable."""
    guidance: float = 1.0
    """How far to go from what is foretold without a caption to what is with it; 1 is with it."""

    def check(self) -> None:
        """
        Raises:
            UsageError: a number makes no sense.
        """
        if not 0 < self.temperature < np.inf:
            raise UsageError(
                f"a temperature of {self.temperature:g} draws nothing",
                hint="--temperature takes more than 0, such as 0.9; --top-k 1 takes the likeliest",
            )
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(
                f"the {self.top_k} likeliest tokens are none", hint="--top-k takes 1 or more"
            )
        if not 0 < self.top_p <= 1:
            raise UsageError(
                f"{self.top_p:g} is no share of what is probable",
                hint="--top-p takes more than 0, and 1 at most, such as 0.95",
            )
        if not np.isfinite(self.guidance):
            raise UsageError(
                f"{self.guidance:g} leads nowhere", hint="--guidance takes a number, such as 3"
            )


@dataclass(frozen=True)
class Opening:
    """A picture that is to be gone on with."""

    pixels: Pixels
    """(H, W, 3); its middle is taken, at the size of what is drawn."""
    rows: int | None = None
    """Rows of its tokens that are kept, the rest is drawn; None for half of them."""


def pick(
    logits: npt.NDArray[np.float32], uniform: npt.NDArray[np.float64], sampling: Sampling
) -> Tokens:
    """Draw a token for each row: the one in whose share of all probability the draw falls.

    Shapes:
        logits (B, K), uniform in [0, 1] (B,) -> (B,)
    """
    scores = logits.astype(np.float64) / sampling.temperature
    scores -= scores.max(axis=1, keepdims=True)
    if sampling.top_k is not None and sampling.top_k < scores.shape[1]:
        least = np.sort(scores, axis=1)[:, -sampling.top_k, None]
        scores[scores < least] = -np.inf
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    if sampling.top_p < 1:
        order = np.argsort(-shares, axis=1, kind="stable")
        falling = np.take_along_axis(shares, order, axis=1)
        # A token stays if those before it do not reach p: the first one always.
        falling[np.cumsum(falling, axis=1) - falling >= sampling.top_p] = 0.0
        np.put_along_axis(shares, order, falling, axis=1)
    up_to = np.cumsum(shares, axis=1)
    found = (up_to <= uniform[:, None] * up_to[:, -1:]).sum(axis=1)
    last = shares.shape[1] - 1 - (shares[:, ::-1] > 0).argmax(axis=1)
    return np.minimum(found, last)


class Steps:
    """The steps of one batch of pictures, whose keys and values stay in the device's memory."""

    def __init__(self, session: Session, caption: Arrays, batch: int) -> None:
        shapes = {
            each.name: [batch if size == "B" else int(size) for size in each.shape]
            for each in (*session.inputs, *session.outputs)
        }
        self._binding = session.binding()
        self._shapes = {name: shapes[name] for name in CACHE}
        self._logits = np.zeros(shapes["logits"], np.float32)
        self._binding.take("logits", self._logits)
        for name, array in caption.items():
            self._binding.give(name, np.ascontiguousarray(array))
        # What no step has written yet is looked up too, and weighs nothing: it must be a number.
        self._starts = {
            name: self._binding.give(whole, np.zeros(shapes[whole], np.float32))
            for name, whole in CACHE.items()
        }

    def go_on(self, token: Tokens, place: int) -> npt.NDArray[np.float32]:
        """Logits (B, K) after a token (B,) at its place; the next call overwrites them."""
        self._binding.give("token", token)
        self._binding.give("place", np.array([place]))
        for name, start in self._starts.items():
            shape = self._shapes[name]
            self._binding.leave(name, shape, start + place * 4 * math.prod(shape))
        self._binding.run()
        return self._logits


class Decoder:
    """Draws tokens, then their picture; it takes the place of a generator. Several threads may use
    one at once."""

    def __init__(
        self,
        bundle: Bundle,
        open_graph: Callable[[str], Session],
        sampling: Sampling,
        silent: Callable[[], Arrays],
        opening: Opening | None = None,
    ) -> None:
        """
        Args:
            open_graph: starts the graph of a role.
            silent: gives what `prefill` makes of one empty caption.

        Raises:
            UsageError: tokens cannot be drawn so.
        """
        sampling.check()
        self.sampling = sampling
        self.sessions = {role: open_graph(role) for role in ("step", "pixels")}
        self.device = self.sessions["step"].device
        self.name = bundle.name
        prefill = bundle.graph("prefill").outputs
        (self.image,) = bundle.graph("pixels").outputs
        self.count = int(bundle.graph("pixels").inputs[0].shape[1])
        self.side = round(self.count**0.5)
        self.inputs = (Tensor("noise", "float32", ("B", self.count)), *prefill)
        self.kept: Tokens = np.zeros(0, np.int64)
        if opening:
            self.kept = self._first(opening, open_graph("codes"))
        self._silent = silent() if sampling.guidance != 1 else None

    def _first(self, opening: Opening, codes: Session) -> Tokens:
        """The tokens with which every picture begins."""
        rows = self.side // 2 if opening.rows is None else opening.rows
        if not 0 < rows < self.side:
            raise UsageError(
                f"{rows} rows of {self.side} leave nothing to keep, or nothing to draw",
                hint=f"--keep-rows takes 1 to {self.side - 1}",
            )
        picture = fitted(opening.pixels, int(self.image.shape[-1]))
        logits = codes.run({"image": to_planes([picture])}, ["logits"])["logits"]
        first: Tokens = logits[0].argmax(axis=0).flatten()[: rows * self.side]
        return first

    @property
    def stages(self) -> dict[str, int]:
        """Names of the pictures on the way, and how many tokens each shows."""
        counts = [self.count * part // STAGES for part in range(1, STAGES)]
        return {f"image_{count}": count for count in counts}

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        stages = (
            Tensor(name, self.image.dtype, self.image.shape, self.image.range, self.image.layout)
            for name in self.stages
        )
        return (self.image, *stages)

    def run(self, feeds: Mapping[str, npt.NDArray[np.float32]], outputs: Sequence[str]) -> Arrays:
        """The named outputs: the picture, and what it was on the way.

        Raises:
            BundleError: a graph fails, or foretells what is not a number.
        """
        tokens = self.tokens(feeds)
        drawn: Arrays = {}
        for name in outputs:
            shown = self.stages.get(name, self.count)
            drawn[name] = self.picture(tokens, shown)
        return drawn

    def tokens(self, feeds: Mapping[str, npt.NDArray[np.float32]]) -> Tokens:
        """Tokens (B, count) row by row; those that are kept come first."""
        uniform = (feeds["noise"].astype(np.float64) + 1) / 2
        B = len(uniform)
        caption = {name: each for name, each in feeds.items() if name != "noise"}
        if self._silent:
            caption = {
                name: np.concatenate([np.repeat(self._silent[name], B, axis=0), each])
                for name, each in caption.items()
            }
        logits = caption.pop("logits")
        steps = Steps(self.sessions["step"], caption, len(logits))
        tokens = np.zeros((B, self.count), np.int64)
        for place in range(self.count):
            if place < len(self.kept):
                tokens[:, place] = self.kept[place]
            else:
                tokens[:, place] = self._drawn(logits, uniform[:, place])
            if place + 1 < self.count:
                # Where there is guidance, the same token goes on with and without a caption.
                logits = steps.go_on(np.resize(tokens[:, place], len(logits)), place)
        return tokens

    def picture(self, tokens: Tokens, shown: int) -> npt.NDArray[np.float32]:
        """Of the first so many tokens (B, 3, H, W), grey where the others would be."""
        first = np.arange(self.count) < shown
        feeds = {"tokens": np.where(first, tokens, 0)}
        image: npt.NDArray[np.float32] = self.sessions["pixels"].run(feeds, ["image"])["image"]
        if shown == self.count:
            return image
        cell = image.shape[-1] // self.side
        cells = first.reshape(self.side, self.side).repeat(cell, axis=0).repeat(cell, axis=1)
        return np.where(cells, image, np.float32(BLANK))

    def _drawn(self, logits: npt.NDArray[np.float32], uniform: npt.NDArray[np.float64]) -> Tokens:
        if not np.isfinite(logits).all():
            raise not_a_number(self.name, "draw")
        if self._silent:
            without, told = np.split(logits, 2)
            logits = without + np.float32(self.sampling.guidance) * (told - without)
        return pick(logits, uniform, self.sampling)
