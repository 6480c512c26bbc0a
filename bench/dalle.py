"""DALL-E, 1,024 tokens of 12 layers of 512: PyTorch with and without a cache, and ours.

    python -m bench.dalle                 # one thread, one picture
    python -m bench.dalle --rounds 9      # on a noisy machine

Weights are random: only speed is measured. A whole picture is 1,024 steps; each way is timed at
eight places of it, evenly apart, and the time of a picture is integrated from them. All that is
compared runs in turn, place by place and round by round, so that a machine that slows down slows
all alike; ratios are of medians.

PyTorch's cache holds what our graph is given, and each of its steps reads all of it under the mask
of its layer, as plain code does.
"""

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from t2i.export.check import start
from t2i.export.dalle import GoingOn
from t2i.export.plan import Captions, Plan, Tensors
from t2i.export.trace import trace
from t2i.models import dalle, dvae
from t2i.models.encoders.transformer import HEAD_SIZE
from t2i.runtime import bundle, terminal
from t2i.runtime.decode import Steps
from t2i.runtime.sessions import Session

SIZES = dalle.Settings(vocabulary=16_384, layers=12, width=512, dvae=dvae.Settings())
COUNT = SIZES.dvae.side**2
PLACES = [COUNT * part // 8 + COUNT // 16 for part in range(8)]
Way = Callable[[int], None]


class Cached:
    """A step as plain PyTorch has it: keys and values of all places, and a row of each mask."""

    def __init__(self, network: dalle.Transformer) -> None:
        self.network = network
        shape = (SIZES.layers, 2, 1, SIZES.width // HEAD_SIZE, SIZES.length + COUNT, HEAD_SIZE)
        self.cache = torch.zeros(shape)
        self.masks = {
            kind: dalle.mask(kind, SIZES.length, SIZES.dvae.side) for kind in set(network.kinds)
        }

    @torch.inference_mode()
    def __call__(self, place: int) -> None:
        network, end = self.network, SIZES.length + 2 + place
        hidden = network.image(torch.tensor([[7]])) + network.rows[0, 0] + network.columns[0]
        for layer, (kind, block) in enumerate(zip(network.kinds, network.blocks, strict=True)):
            assert isinstance(block, dalle.Block)
            query, key, value = map(dalle.apart, block.projected(hidden))
            keys, values = self.cache[layer]
            keys[:, :, end - 1 : end], values[:, :, end - 1 : end] = key, value
            seen = self.masks[kind][end - 1, :end]
            found = F.scaled_dot_product_attention(
                query, keys[:, :, :end], values[:, :, :end], attn_mask=seen[None]
            )
            hidden = block.added(hidden, found.transpose(1, 2).flatten(2))
        network.tell_image(network.last_norm(hidden))


def uncached(network: dalle.Transformer) -> Way:
    """All places before this one are read again."""
    tokens = torch.tensor([[SIZES.vocabulary - 2, 5, 6, SIZES.vocabulary - 1]])
    masks = {kind: dalle.mask(kind, SIZES.length, SIZES.dvae.side) for kind in set(network.kinds)}

    @torch.inference_mode()
    def run(place: int) -> None:
        hidden = torch.cat(
            [network.text(network.spoken(tokens)), torch.zeros(1, place + 2, SIZES.width)], dim=1
        )
        for kind, block in zip(network.kinds, network.blocks, strict=True):
            hidden = block(hidden, masks[kind][: hidden.shape[1], : hidden.shape[1]])
        network.tell_image(network.last_norm(hidden[:, -1]))

    return run


def exported(network: dalle.Transformer) -> Way:
    """Our graph, its cache in bound memory."""
    read = (1, SIZES.layers, SIZES.width // HEAD_SIZE, SIZES.length + 1, HEAD_SIZE)
    rows: dict[str, Tensor] = {
        "text_keys": torch.randn(2, *read[1:]),
        "text_values": torch.randn(2, *read[1:]),
        "keys": torch.zeros(COUNT, SIZES.layers, 2, SIZES.width),
        "values": torch.zeros(COUNT, SIZES.layers, 2, SIZES.width),
    }

    def examples(batch: int, kind: Captions) -> Tensors:
        return {"token": torch.zeros(2, dtype=torch.int64), "place": torch.tensor([9]), **rows}

    shapes = {
        "text_keys": ("B", *read[1:]),
        "text_values": ("B", *read[1:]),
        "keys": (COUNT, SIZES.layers, "B", SIZES.width),
        "values": (COUNT, SIZES.layers, "B", SIZES.width),
    }
    inputs = (
        bundle.Tensor("token", "int64", ("B",)),
        bundle.Tensor("place", "int64", (1,)),
        *(bundle.Tensor(name, "float32", shape) for name, shape in shapes.items()),
    )
    outputs = (
        bundle.Tensor("logits", "float32", ("B", SIZES.dvae.codes)),
        *(
            bundle.Tensor(name, "float32", (SIZES.layers, "B", SIZES.width))
            for name in ("key", "value")
        ),
    )
    model = trace(Plan("step", GoingOn(network), inputs, outputs, examples))
    graph = bundle.Graph("step", "step.onnx", "", 0, 18, "fp32", inputs, outputs)
    caption = {name: rows[name][:1].numpy() for name in ("text_keys", "text_values")}
    steps = Steps(Session(start(model, 1), graph, "cpu"), caption, 1)

    def run(place: int) -> None:
        steps.go_on(np.zeros(1, np.int64), place)

    return run


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds at each place.")] = 5,
) -> None:
    """Compare speeds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = dalle.Transformer(SIZES).eval().requires_grad_(requires_grad=False)
    ways: dict[str, Way] = {
        "PyTorch, a cache": Cached(network),
        "t2i-export": exported(network),
        "PyTorch, no cache": uncached(network),
    }
    found: dict[str, list[list[float]]] = {name: [[] for _ in PLACES] for name in ways}
    for counted in range(1 + rounds):  # the first one allocates
        for spot, place in enumerate(PLACES):
            for name, way in ways.items():
                if name == "PyTorch, no cache" and counted > 2:
                    continue  # it is slow, and far behind
                begun = time.perf_counter()
                way(place)
                if counted:
                    found[name][spot].append(time.perf_counter() - begun)
    medians = {name: [statistics.median(each) for each in spots] for name, spots in found.items()}
    eager = statistics.mean(medians["PyTorch, a cache"])
    table = [
        (
            name,
            f"{1000 * statistics.mean(each):.1f} ms",
            f"{COUNT * statistics.mean(each):.1f} s",
            f"{eager / statistics.mean(each):.2f} ×",
            f"{each[-1] / each[0]:.2f}",
        )
        for name, each in medians.items()
    ]
    head = ("one thread", "a token", "a picture", "speed of eager", "last token / first")
    terminal.table(head, table)


if __name__ == "__main__":
    typer.run(main)
