"""The bundle: the contract between the side that trains and every side that draws.

A bundle is a folder `NAME.t2i` (or the same as one zip) of graphs, their vocabulary, a proof that
they compute what PyTorch computed, and `manifest.json`, which says everything a host must know:
no file name is parsed, nothing is retyped. These dataclasses are its only definition.
"""

from dataclasses import dataclass
from typing import Any, Literal

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
