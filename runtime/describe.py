"""Pictures become captions, in the words of a bundle that learnt to describe."""

from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from t2i.runtime import places
from t2i.runtime.archives import AGAIN
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import BundleError
from t2i.runtime.pictures import Pixels, to_planes
from t2i.runtime.sessions import Arrays, not_a_number, open_session, usable_threads
from t2i.runtime.text import PADDING_ID, Tokenizer

TINY = 1e-30
"""Least probability whose logarithm is taken."""


def load(model: str | Path, *, device: str = "auto", threads: int | None = None) -> "Describer":
    """Get a bundle ready to describe.

    Raises:
        BundleError: there is no such bundle, it is damaged, or it has no captioner.
        DeviceError: the asked device cannot be used here.
    """
    return Describer(Bundle.load(places.find(str(model))), device=device, threads=threads)


class Describer:
    """A captioner ready to describe. Several threads may use one at once."""

    def __init__(self, bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> None:
        roles = {graph.role for graph in bundle.manifest.graphs}
        if "caption" not in roles or bundle.manifest.text is None:
            raise BundleError(
                f"{bundle.name} cannot describe pictures: it has no captioner (STREAM)",
                hint="name a bundle that has one with --model: `t2i-train stream` and "
                "`t2i-export stream` make it; MirrorGAN's have theirs",
            )
        text = bundle.manifest.text
        tokenizer = Tokenizer.from_json(bundle.read(text.tokenizer), text)
        self.manifest = bundle.manifest
        self.threads = threads or usable_threads()
        self._image = open_session(bundle, "image", device=device, threads=self.threads)
        self.device = self._image.device
        # One word at a time: on a card it would only cost copies.
        self._caption = open_session(bundle, "caption", device="cpu", threads=1)
        self._names = {number: word for word, number in tokenizer.vocabulary.items()}
        shapes = {each.name: each.shape[1:] for each in self._caption.graph.inputs}
        self._state_shape = tuple(int(size) for size in shapes["state"])
        told = self._caption.graph.outputs[0].shape[1]
        if told != tokenizer.unknown_id + 1:
            raise BundleError(
                f"{bundle.name} says {told} words and names {tokenizer.unknown_id + 1}",
                hint=AGAIN,
            )

    def __call__(self, picture: Pixels, *, beams: int = 1) -> str:
        """Describe one picture (H, W, 3).

        Args:
            beams: how many beginnings of captions are followed at once; 1 takes the most probable
                word each time (greedy).
        """
        words, _ = self.search(picture, beams)
        return " ".join(self._names[int(word)] for word in words)

    def search(self, picture: Pixels, beams: int) -> tuple[npt.NDArray[np.int64], float]:
        """The most probable caption found, as words and as a log-probability.

        A beginning is as probable as all its words together, each after those before it. A caption
        has a word at least, and all that the bundle's text allows at most.
        """
        (seen,) = self._image.run({"image": to_planes([picture])}, ["picture"]).values()
        words = np.zeros((1, 0), np.int64)
        chances = np.zeros(1)
        state = np.zeros((1, *self._state_shape), np.float32)
        best: tuple[npt.NDArray[np.int64], float] = (words[0], -np.inf)
        length = self.manifest.text.length if self.manifest.text else 0
        for place in range(length):
            last = words[:, -1] if place else np.zeros(1, np.int64)
            following, state = self._next(np.repeat(seen, len(words), 0), last, state)
            if place == 0:
                following[:, PADDING_ID] = -np.inf
            together = chances[:, None] + following
            order = np.argsort(-together, axis=None, kind="stable")[:beams]
            rows, word = np.unravel_index(order, together.shape)
            chances = together[rows, word]
            ended = word == PADDING_ID
            if ended.any():
                first = int(ended.argmax())  # they are in order, the most probable first
                best = max(best, (words[rows[first]], float(chances[first])), key=itemgetter(1))
            rows, word, chances = rows[~ended], word[~ended], chances[~ended]
            words = np.concatenate([words[rows], word[:, None]], axis=1)
            state = state[rows]
            # What goes on can only become less probable.
            if not len(words) or chances[0] <= best[1]:
                return best
        return words[0], float(chances[0])

    def _next(
        self,
        seen: npt.NDArray[np.float32],
        last: npt.NDArray[np.int64],
        state: npt.NDArray[np.float32],
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Log-probabilities of each word to be the next; the unknown word, which has no name, is
        never said."""
        feeds: Arrays = {"picture": seen, "word": last, "state": state}
        told = self._caption.run(feeds, ["next", "state_after"])
        if not np.isfinite(told["next"]).all():
            raise not_a_number(self.manifest.name, "describe")
        logarithms = np.log(np.maximum(told["next"].astype(np.float64), TINY))
        logarithms[:, -1] = -np.inf
        return logarithms, told["state_after"]
