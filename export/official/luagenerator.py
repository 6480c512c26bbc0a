"""A generator of GAN-CLS among what Torch7 wrote, told by the kinds of its modules in their order.

Source: `netG` of reedscot/icml2016, in `main_cls_int.lua` and `main_cls.lua`.
"""

import re
from collections.abc import Iterator
from itertools import islice

from t2i.export.official.pickles import StandIn
from t2i.export.official.stored import Stored
from t2i.export.official.torch7 import kind_of, listed, state_of, weights_of

MOST = 500
"""Kinds and brackets that are looked at: a generator has about a hundred."""
SLOPE = 0.2
NORM = ("weight", "bias", "running_mean", "running_var")
PARTS = {
    "Linear": ("weight", "bias"),
    "SpatialConvolution": ("weight", "bias"),
    "SpatialFullConvolution": ("weight", "bias"),
    "SpatialBatchNormalization": NORM,
}
"""Tensors of each kind of layer that are of the network, not of the step that it saw last."""

_NORMED = "SpatialConvolution SpatialBatchNormalization "
_BOTTLENECK = f"ConcatTable < Identity Sequential < ({_NORMED}ReLU ){{2}}{_NORMED}> > CAddTable "
_SPELLED = re.compile(
    "Sequential < ParallelTable < Identity Sequential < Linear LeakyReLU > > JoinTable "
    f"(SpatialFullConvolution SpatialBatchNormalization ({_BOTTLENECK})*ReLU )+"
    "SpatialFullConvolution Tanh >"
)


def layers(network: StandIn) -> Iterator[tuple[str, Stored]]:
    """Its tensors; nothing where it is another network.

    `fcG` squeezes the sentence. The layers of `netG` count from where that is joined, a bottleneck
    as one, whose own are counted in its `branch`.
    """
    if not _SPELLED.fullmatch(" ".join(islice(_kinds(network), MOST))):
        return
    pair, _, *steps = listed(network, "modules")
    _, squeeze = listed(pair, "modules")
    linear, leaky = listed(squeeze, "modules")
    if state_of(leaky).get("negval") != SLOPE:
        return
    yield from weights_of(linear, "fcG.0", PARTS["Linear"])
    grown = [each for each in steps if kind_of(each) != "CAddTable"]
    for place, step in enumerate(grown):
        yield from _named(step, f"netG.{place}")


def _named(step: StandIn, name: str) -> Iterator[tuple[str, Stored]]:
    if kind_of(step) == "ConcatTable":
        _, branch = listed(step, "modules")
        for place, layer in enumerate(listed(branch, "modules")):
            yield from _named(layer, f"{name}.branch.{place}")
    else:
        yield from weights_of(step, name, PARTS.get(kind_of(step), ()))


def _kinds(module: StandIn) -> Iterator[str]:
    """What it is, and in brackets what is in it; without end, where it is in itself."""
    yield kind_of(module)
    if state_of(module).get("modules"):
        yield "<"
        for each in listed(module, "modules"):
            yield from _kinds(each)
        yield ">"
