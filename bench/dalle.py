"""DALL-E, 1,024 tokens of 12 layers of 512: PyTorch with and without a cache, ours, and in int8.

    python -m bench.dalle                 # one thread, one picture
    python -m bench.dalle --rounds 9      # on a noisy machine

Weights are random: only speed is measured. A whole picture is 1,024 steps; each way is timed at
eight places of it, evenly apart, and the time of a picture is integrated from them. The first of
these places lies within the first hundred tokens, the last within the last hundred. All that is
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
import onnx
import torch
import torch.nn.functional as F
import typer

from t2i.export.check import start
from t2i.export.dalle import GoingOn, Reading, stepping
from t2i.export.plan import Captions, Plan, Tensors
from t2i.export.precision import SMALL, Precision, convert
from t2i.export.trace import OPSET, trace
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


def exported(network: dalle.Transformer) -> dict[str, Way]:
    """Our graph, its cache in bound memory, in either precision."""
    read = ("B", SIZES.layers, SIZES.width // HEAD_SIZE, SIZES.length + 1, HEAD_SIZE)
    logits = bundle.Tensor("logits", "float32", ("B", SIZES.dvae.codes))
    caption = [bundle.Tensor(name, "float32", read) for name in ("text_keys", "text_values")]

    def tokens(batch: int, kind: Captions) -> Tensors:
        return {"tokens": torch.full((batch, 4), SIZES.vocabulary - 1)}

    prefill = Plan("prefill", Reading(network), (), (logits, *caption), tokens)
    cache = (COUNT, SIZES.layers, "B", SIZES.width)
    plan = stepping(prefill, GoingOn(network), cache, SIZES.dvae.codes)
    traced = trace(plan)
    precisions: dict[str, Precision] = {"t2i-export": "fp32", "t2i-export --int8": "int8"}
    return {
        name: stepped(plan, convert(traced, precision, "step", SMALL[0]))
        for name, precision in precisions.items()
    }


def stepped(plan: Plan, model: onnx.ModelProto) -> Way:
    """The steps of one picture."""
    graph = bundle.Graph("step", "step.onnx", "", 0, OPSET, "", plan.inputs, plan.outputs)
    examples = plan.examples(1, "full")
    caption = {name: examples[name].numpy() for name in ("text_keys", "text_values")}
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
        **exported(network),
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
            f"{1 / each[0]:.1f}",
            f"{1 / each[-1]:.1f}",
        )
        for name, each in medians.items()
    ]
    first, last = "first 100: tokens/s", "last 100: tokens/s"
    terminal.table(("one thread", "a token", "a picture", "speed of eager", first, last), table)


if __name__ == "__main__":
    typer.run(main)
