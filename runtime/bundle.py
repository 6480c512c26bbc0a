"""The bundle: the contract between the side that trains and every side that draws.

A bundle is a folder `NAME.t2i` (or the same as one zip) of graphs, their vocabulary, a proof that
they compute what PyTorch computed, and `manifest.json`, which says everything a host must know:
no file name is parsed, nothing is retyped. These dataclasses are its only definition.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from t2i.runtime import archives, graph_files, records, rules
from t2i.runtime.errors import BundleError, did_you_mean

SCHEMA = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Tensor:
    """One named input or output of a graph."""

    name: str
    dtype: str
    """As NumPy calls it: `float32`, `int64`, `bool`."""
    shape: tuple[int | str, ...]
    """Sizes; a letter where the host decides: B batch, T tokens."""
    range: tuple[float, float] | None = None
    """Least and greatest value, where they are known."""
    layout: str | None = None
    """Meaning of the axes, one letter each: `BCHW`."""


@dataclass(frozen=True)
class Graph:
    """One ONNX file and what it promises."""

    role: str
    """What it is for: `text`, `generator`, `image`, …; the file is `ROLE.onnx`."""
    file: str
    sha256: str
    bytes: int
    opset: int
    precision: str
    """As the manifest's: `fp16-stored`, `fp32`, `fp16` or `int8`."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Text:
    """How captions become tokens."""

    tokenizer: str
    """File of the vocabulary, in the format of the tokenizers library."""
    sha256: str
    length: int
    """Most tokens of a caption."""
    unknown: Literal["drop", "keep"]
    """Unknown words are left out, or read as the unknown word, which has an id of its own."""
    surplus: Literal["cut", "refuse"] = "cut"
    """What happens to words beyond the length."""


@dataclass(frozen=True)
class Noise:
    """One noise input of the generator."""

    name: str
    """`noise` is z, `detail` is conditioning augmentation, in every system."""
    shape: tuple[int, ...]
    """Of one picture's draw, without B."""
    distribution: Literal["normal", "uniform"] = "normal"
    """Standard normal, or uniform in (-1, 1)."""


@dataclass(frozen=True)
class Check:
    """How the graphs were compared with PyTorch when they were exported."""

    torch: str
    """Version of PyTorch."""
    batches: tuple[int, ...]
    tolerance: float
    """Greatest difference allowed, in units of pictures in [-1, 1]."""
    worst: float
    """Greatest difference found, over all graphs and batches."""


@dataclass(frozen=True)
class Need:
    """Weights of another system that the training started from."""

    sha256: str
    origin: str


@dataclass(frozen=True)
class Training:
    """Where the weights come from."""

    preset: str
    data: str
    settings: dict[str, Any]
    needs: dict[str, Need]
    checkpoint: str
    """SHA-256 of the exported weights."""
    images_seen: int


@dataclass(frozen=True)
class Score:
    """A number with its protocol."""

    metric: str
    value: float
    interval: tuple[float, float] | None
    """95 % confidence, where it was computed."""
    protocol: dict[str, Any]
    parts: dict[str, float] = field(default_factory=dict)
    """What the number is made of, where it has several parts, such as one for each attribute."""


@dataclass(frozen=True)
class Rounding:
    """How a generator came to eight bits."""

    range: Literal["full", "reduced"]
    """Weights of eight bits, for processors on which they do not overflow, or of seven."""
    captions: int
    """It was fitted to and tried on so many; 0 where words at random had to do."""
    kept: tuple[str, ...]
    """Weights of the layers that compute in float32 as before, because their rounding showed."""


@dataclass(frozen=True)
class Cost:
    """What drawing one picture costs, and on which machine."""

    parameters: int
    bytes: int
    cpu_ms: float
    peak_mb: float
    machine: str


@dataclass(frozen=True)
class File:
    """A further file of the bundle."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """Everything a host must know about a bundle: the contents of `manifest.json`."""

    schema: int
    name: str
    system: str
    """Which system of the catalog: `attngan`."""
    pipeline: Literal["gan", "tokens", "latent", "score", "features"]
    """How the graphs are wired into a picture or a number."""
    condition: Literal["caption", "class", "vector", "none"]
    """What decides the picture."""
    text: Text | None
    classes: tuple[str, ...]
    """Names of the classes in the order of their numbers, where there are classes."""
    noise: tuple[Noise, ...]
    """Noise inputs in the order in which their dimensions are numbered."""
    graphs: tuple[Graph, ...]
    pixels: Literal["truncate", "round"]
    """How [-1, 1] becomes 0 … 255."""
    image_px: int
    """Width and height of the pictures, drawn or read."""
    proof: File
    """Inputs of the graphs and PyTorch's outputs: arrays `ROLE.in.NAME`, `ROLE.out.NAME`."""
    preview: File | None
    card: File | None
    check: Check
    training: Training | None
    scores: tuple[Score, ...]
    cost: Cost | None
    licence: str
    paper: str
    precision: Literal["fp16-stored", "fp32", "fp16", "int8"]
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What is read in pictures: each attribute's values, in the order of the logits that the
    output `attributes` of the `image` graph gives one after another."""
    logit_scale: float | None = None
    """What the cosines of pictures and captions are multiplied by before a softmax, where that
    was learnt."""
    rounding: Rounding | None = None
    """Where the generator multiplies whole numbers."""
    parts: tuple[str, ...] = ()
    """What a pixel of a picture may show, in the order of the probabilities that the output `parts`
    of the `image` graph gives; the first is the background."""
    weights: File | None = None
    """What graphs take their weights from, as ONNX's external data, where a file of a graph cannot
    hold them."""

    @property
    def draws(self) -> bool:
        """Whether pictures are drawn from what decides them: at once, or token by token.

        A `latent` bundle leaves it to a program what its generator is given.
        """
        roles = {graph.role for graph in self.graphs}
        return self.pipeline != "latent" and not roles.isdisjoint(("generator", "step"))


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found sound: every file is there and is what the manifest says."""

    manifest: Manifest
    sha256: str
    """Of `manifest.json`, which holds the hashes of all other files: the hash of the bundle."""
    archive: archives.Folder | archives.Zip | archives.Carried

    @classmethod
    def load(cls, path: Path) -> "Bundle":
        """Read a folder or a zip, trusting nothing in it.

        Raises:
            BundleError: whatever is wrong with it.
        """
        archive = archives.open_archive(path)
        data = archive.read(MANIFEST, rules.MANIFEST_BYTES)
        bundle = cls(read_manifest(data, path.name), hashlib.sha256(data).hexdigest(), archive)
        weights = bundle.manifest.weights
        for name in bundle.files:
            if not (weights and name == weights.file):
                bundle.read(name)
        # Gigabytes are not read into memory only to be looked at.
        if weights and archive.sha256(weights.file, weights.bytes) != weights.sha256:
            raise bundle._damaged(weights.file)
        return bundle

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def signature(self) -> dict[str, str]:
        """How what it draws names it."""
        return {"bundle": self.name, "sha256": self.sha256}

    def carried(self) -> "Bundle":
        """The same with all its files in memory, so that it can be sent to another machine."""
        files = {name: self.read(name) for name in self.files}
        return replace(self, archive=archives.Carried(self.archive.path, files))

    @property
    def files(self) -> dict[str, tuple[str, int | None]]:
        """SHA-256 and size of each file but the manifest; a tokenizer has no size of its own."""
        listed: list[Graph | File] = [*self.manifest.graphs, self.manifest.proof]
        others = (self.manifest.preview, self.manifest.card, self.manifest.weights)
        listed += [file for file in others if file]
        files: dict[str, tuple[str, int | None]] = {
            each.file: (each.sha256, each.bytes) for each in listed
        }
        if text := self.manifest.text:
            files[text.tokenizer] = (text.sha256, None)
        return files

    def graph(self, role: str) -> Graph:
        for graph in self.manifest.graphs:
            if graph.role == role:
                return graph
        raise BundleError(
            f"{self.name} has no graph {role!r}",
            hint=did_you_mean(role, [graph.role for graph in self.manifest.graphs]),
        )

    def read(self, name: str) -> bytes:
        """One file, checked again: it may have changed since the bundle was loaded.

        Raises:
            BundleError: it is missing or damaged, or a graph that names other files.
        """
        sha256, size = self.files[name]
        data = self.archive.read(name, rules.TOKENIZER_BYTES if size is None else size)
        if size not in (None, len(data)) or hashlib.sha256(data).hexdigest() != sha256:
            raise self._damaged(name)
        if name in {graph.file for graph in self.manifest.graphs}:
            weights = self.manifest.weights
            beside = {weights.file: weights.bytes} if weights else {}
            graph_files.refuse_other_files(data, name, beside)
        return data

    def _damaged(self, name: str) -> BundleError:
        return BundleError(
            f"{name} of {self.archive.path.name} is not the file that was published: "
            "its hash differs from the manifest's",
            hint=archives.AGAIN,
        )


def read_manifest(data: bytes, where: str) -> Manifest:
    """The contents of a `manifest.json`; `where` names the bundle in errors.

    Raises:
        BundleError: it is not one, or it is newer than this program.
    """
    try:
        contents = records.loads(data)
        schema = contents.get("schema") if isinstance(contents, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise BundleError(
                f"{where} was made by a newer version of t2i (schema {schema}, known is {SCHEMA})",
                hint="upgrade: pip install --upgrade t2i",
            )
        manifest = records.decode(Manifest, contents)
    except records.RecordError as error:
        raise BundleError(f"{MANIFEST} of {where}: {error}", hint=archives.AGAIN) from error
    for problem in rules.problems(manifest):
        raise BundleError(f"{MANIFEST} of {where}: {problem}", hint=archives.AGAIN)
    return manifest
