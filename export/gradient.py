"""A graph with a gradient in it: forward, and backward to one of its inputs.

What PyTorch computes by going back through a network is itself a computation, of which every step
is an operator that a graph can hold. Weights get no gradient here: a convolution's is then a
convolution the other way, with the same weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten


def traced(network: nn.Module, inputs: tuple[Tensor, ...]) -> fx.GraphModule:
    """A network that calls `torch.func.grad`, as plain operators for a batch of any size.

    Args:
        inputs: one example of each.
    """
    table = core_aten_decompositions() | {aten.convolution_backward.default: back_through}
    tracer: Callable[..., fx.GraphModule] = make_fx(
        network, decomposition_table=table, tracing_mode="symbolic", _allow_non_fake_inputs=True
    )
    with torch.no_grad():
        return tracer(*inputs)


def back_through(
    slope: Tensor,
    maps: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    wanted: list[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradient of a convolution with respect to its input alone.

    Where a stride leaves the last rows of the input unseen, their gradient is zero.
    """
    assert list(wanted) == [True, False, False], "weights are constants here"
    if transposed:
        back = aten.convolution(
            slope, weight, None, stride, padding, dilation, False, [0, 0], groups
        )
        return back, None, None
    around = [size - 1 - pad for size, pad in zip(weight.shape[2:], padding, strict=True)]
    if set(stride) == set(dilation) == {1} and min(around) >= 0:
        # The same as below, by a plain convolution, which runtimes compute much faster.
        turned = aten.flip(_swapped(weight, groups), [2, 3])
        back = aten.convolution(
            slope, turned, None, stride, around, dilation, False, [0, 0], groups
        )
        return back, None, None
    sides = zip(maps.shape[2:], weight.shape[2:], slope.shape[2:], strict=True)
    rules = zip(stride, padding, dilation, strict=True)
    unseen = [
        side + 2 * pad - gap * (size - 1) - 1 - (seen - 1) * step
        for (side, size, seen), (step, pad, gap) in zip(sides, rules, strict=True)
    ]
    back = aten.convolution(slope, weight, None, stride, padding, dilation, True, unseen, groups)
    return back, None, None


def _swapped(weight: Tensor, groups: int) -> Tensor:
    """Inputs and outputs of a convolution's weights exchanged, within each group."""
    outputs, inputs, *kernel = weight.shape
    apart = weight.reshape(groups, outputs // groups, inputs, *kernel)
    return apart.transpose(1, 2).reshape(groups * inputs, outputs // groups, *kernel)
