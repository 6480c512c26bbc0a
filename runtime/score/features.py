"""Bundles that look at pictures: what they see, as numbers."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from t2i.runtime import places, terminal
from t2i.runtime.bundle import Bundle
from t2i.runtime.errors import BundleError, ScoreError, TextError
from t2i.runtime.pictures import Pixels, to_planes
from t2i.runtime.score.resize import PYTORCH_FID, RESIZES
from t2i.runtime.sessions import Arrays, open_session
from t2i.runtime.text import Tokenizer

INCEPTION = "inception"
"""The system, and the name of the bundle of its official weights."""
MAKE_INCEPTION = (
    "make it: `t2i-export inception --weights pt_inception-2015-12-05-6726825d.pth`, a file of "
    "mseitzer/pytorch-fid"
)
LOOKS = ("features", "score")
"""Pipelines whose `image` graph takes pictures of any size."""
CAPTIONS = 32  # read at once


class Extractor:
    """A bundle whose graph `image` makes numbers of pictures."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        threads: int | None = None,
        strict: bool = False,
        resize: str = PYTORCH_FID,
    ) -> None:
        if bundle.manifest.pipeline not in LOOKS:
            raise ScoreError(
                f"{bundle.name} does not look at pictures: "
                f"it is a {bundle.manifest.pipeline!r} bundle",
                hint="choose a bundle of features, such as birds-features, or one of scores, such "
                "as birds-damsm",
            )
        self.bundle = bundle
        self.manifest = bundle.manifest
        self.threads = threads
        self.strict = strict
        # What was never Inception prepares pictures in its own graph, in the way it was trained.
        self.resize_name = resize if bundle.manifest.system == INCEPTION else None
        self.resize = RESIZES[resize] if self.resize_name else None
        self._image = open_session(bundle, "image", device=device, threads=threads)
        self.device = self._image.device

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        strict: bool = False,
        resize: str = PYTORCH_FID,
    ) -> "Extractor":
        """Get a bundle ready to look.

        Args:
            strict: refuse captions that are too long, in place of cutting them.
            resize: one of `RESIZES`: how pictures come to the size at which an Inception sees them.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            ScoreError: it does not look at pictures.
        """
        try:
            path = places.find(str(name))
        except BundleError as error:
            if str(name) == INCEPTION:
                raise BundleError(str(error), hint=MAKE_INCEPTION) from error
            raise
        bundle = Bundle.load(path)
        return cls(bundle, device=device, threads=threads, strict=strict, resize=resize)

    @property
    def name(self) -> str:
        return self.bundle.name

    @property
    def sha256(self) -> str:
        """Of the graph: what is said around it may change, what it sees does not."""
        return self._image.graph.sha256

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(each.name for each in self._image.graph.outputs)

    @property
    def software(self) -> dict[str, str]:
        """What runs its graphs."""
        import onnxruntime

        return {"onnxruntime": onnxruntime.__version__, "device": self.device}

    @property
    def resizes(self) -> str:
        """How pictures come to the size at which they are seen."""
        if self.resize:
            return self.resize.told
        return f"by the graph of {self.name}, from each picture's own size"

    def require(self, *outputs: str) -> None:
        """Raises ScoreError where an output is missing."""
        for name in outputs:
            if name not in self.outputs:
                raise ScoreError(
                    f"{self.name} tells no {name!r} of a picture, only {', '.join(self.outputs)}",
                    hint="choose another bundle by --with METRIC=BUNDLE",
                )

    def width(self, output: str) -> int | None:
        """How many numbers of a picture an output holds, where the manifest knows it.

        Raises:
            ScoreError: there is no such output.
        """
        self.require(output)
        (shape,) = (each.shape for each in self._image.graph.outputs if each.name == output)
        size = shape[-1]
        return size if isinstance(size, int) else None

    def attribute(self, name: str) -> slice:
        """Where the logits of an attribute stand in the output `attributes`.

        Raises:
            ScoreError: the bundle does not read this attribute.
        """
        start = 0
        for each, values in self.manifest.attributes.items():
            if each == name:
                return slice(start, start + len(values))
            start += len(values)
        known = ", ".join(self.manifest.attributes) or "no attributes"
        raise ScoreError(
            f"{self.name} does not read {name!r} in pictures", hint=f"what it reads: {known}"
        )

    def look(self, pictures: Sequence[Pixels], outputs: Sequence[str]) -> Arrays:
        """What a batch of pictures looks like: the outputs, (B, …) each.

        Pictures of one size, or brought to one, are looked at together, others one by one.

        Raises:
            ScoreError: some of the numbers are not finite.
        """
        together = self._looks_together(pictures)
        groups = [list(pictures)] if together else [[picture] for picture in pictures]
        seen = [self._image.run({"image": self._given(group)}, outputs) for group in groups]
        found = {name: np.concatenate([each[name] for each in seen]) for name in outputs}
        for name, array in found.items():
            if not np.isfinite(array).all():
                raise ScoreError(
                    f"{self.name} computed {name!r} that are not finite",
                    hint="take an fp32 bundle, or another --device",
                )
        return found

    def look_at_chunk(
        self, pictures: Sequence[Pixels], outputs: Sequence[str], size: int
    ) -> Arrays:
        """The same for at most `size` pictures, filled up to as many with the last of them.

        Other kernels serve other batches, and give other last digits.
        """
        spare = [pictures[-1]] * (size - len(pictures)) if self._looks_together(pictures) else []
        seen = self.look([*pictures, *spare], outputs)
        return {name: array[: len(pictures)] for name, array in seen.items()}

    def _looks_together(self, pictures: Sequence[Pixels]) -> bool:
        return self.resize is not None or len({picture.shape for picture in pictures}) == 1

    def _given(self, pictures: Sequence[Pixels]) -> npt.NDArray[np.uint8 | np.float32]:
        """Pictures as the graph takes them: brought to its size, or of one, as they are or in
        [-1, 1]."""
        if self.resize:
            px = self.manifest.image_px
            return np.stack([self.resize.prepared(picture, px) for picture in pictures])
        (wanted,) = self._image.graph.inputs
        return np.stack(pictures) if wanted.dtype == "uint8" else to_planes(pictures)

    def sentences(self, captions: Sequence[str]) -> npt.NDArray[np.float32]:
        """Captions in the space of the pictures' codes, (N, E).

        Raises:
            ScoreError: the bundle reads no captions.
            TextError: it knows no word of a caption.
        """
        return self._reader.sentences(captions)

    @cached_property
    def _reader(self) -> "CaptionReader":
        return CaptionReader(self.bundle, threads=self.threads, strict=self.strict)


class CaptionReader:
    """The half of a bundle of scores that reads captions."""

    def __init__(self, bundle: Bundle, *, threads: int | None = None, strict: bool = False) -> None:
        """
        Raises:
            ScoreError: it has none.
        """
        text = bundle.manifest.text
        if text is None or "text" not in {graph.role for graph in bundle.manifest.graphs}:
            raise ScoreError(
                f"{bundle.name} reads no captions",
                hint="choose a bundle of scores by --with METRIC=BUNDLE, such as birds-damsm",
            )
        self.name, self.length, self.strict = bundle.name, text.length, strict
        self.tokenizer = Tokenizer.from_json(bundle.read(text.tokenizer), text)
        self._text = open_session(bundle, "text", device="cpu", threads=threads)

    def sentences(self, captions: Sequence[str]) -> npt.NDArray[np.float32]:
        """Captions as vectors (N, E); what is cut of long ones is counted in a warning.

        Raises:
            TextError: it knows no word of a caption; or, if it is strict, one is too long.
        """
        readings = [self.tokenizer.read(caption) for caption in captions]
        if cut := sum(reading.surplus for reading in readings):
            many = f"{cut:,} {self.tokenizer.unit}{'s' if cut > 1 else ''}"
            reads = f"{self.name} reads {self.length} of a caption"
            if self.strict:
                raise TextError(
                    f"{many} too many: {reads}",
                    hint="shorten the captions, or cut them: no --strict",
                )
            terminal.warn(f"{many} cut: {reads}")
        made = []
        for start in range(0, len(captions), CAPTIONS):
            tokens = self.tokenizer.encode(readings[start : start + CAPTIONS])
            made.append(self._text.run({"tokens": tokens}, ["sentence"])["sentence"])
        return np.concatenate(made)
