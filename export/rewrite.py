"""Exact rewrites that make a network faster once it is a graph. They work on a copy.

- Batch norms fold into the convolution or linear layer before them.
- A gate becomes two convolutions, so that ONNX Runtime fuses the sigmoid and keeps its blocked
  memory layout, which a split of channels would break.
- Nearest upsampling and a gated 3 × 3 convolution become four gated 2 × 2 convolutions of the small
  map, one for each corner of its enlarged pixels (`Corners`).
- A head after the last of these works on the corners, so that only its picture is interleaved
  (`leave_apart`).
- A recurrent layer becomes one ONNX node.

What no rewrite changes keeps the network's own weights, of which there may be gigabytes.

`python -m bench.attngan` measures what they are worth together.
"""

import copy
from collections.abc import Iterator, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fusion

from t2i.export.recurrent import RecurrentNode
from t2i.models.blocks.recurrent import BidirectionalRecurrent

# Four corners of 2 × 2 hold 16 weights for the 9 of one 3 × 3 convolution. Layers with more inputs
# than this hold most of a generator's weights and little of its work, so they stay as they are.
MOST_INPUTS = 128


def rewrite(network: nn.Module) -> nn.Module:
    """A faster network that computes the same, for inference only."""
    weights = {id(each): each for each in (*network.parameters(), *network.buffers())}
    with torch.no_grad():
        return _rewritten(copy.deepcopy(network, weights).eval())


def _rewritten(module: nn.Module) -> nn.Module:
    for name, child in list(module.named_children()):
        setattr(module, name, _rewritten(child))
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*_fused(list(module)))
    if isinstance(module, BidirectionalRecurrent):
        return RecurrentNode(module)
    return module


def _fused(layers: list[nn.Module]) -> Iterator[nn.Module]:
    """The layers of a sequence, with those merged that can be one."""
    while layers:
        match layers:
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, *rest]:
                layers = [fusion.fuse_conv_bn_eval(conv, norm), *rest]
            case [nn.ConvTranspose2d() as conv, nn.BatchNorm2d() as norm, *rest]:
                layers = [fusion.fuse_conv_bn_eval(conv, norm, transpose=True), *rest]
            case [nn.Linear() as linear, nn.BatchNorm1d() as norm, *rest]:
                layers = [fusion.fuse_linear_bn_eval(linear, norm), *rest]
            case [nn.Upsample() as up, nn.Conv2d() as conv, nn.BatchNorm2d() as norm, *rest]:
                layers = [up, fusion.fuse_conv_bn_eval(conv, norm), *rest]
            case [nn.Upsample() as up, nn.Conv2d() as conv, nn.GLU(), *layers] if splits(up, conv):
                yield Corners(conv)
                yield Interleave()
            case [nn.Conv2d() as conv, nn.GLU(), *layers]:
                yield Gate(*halves(conv))
            case [layer, *layers]:
                yield layer


class Gate(nn.Module):
    """A gated linear unit whose halves are computed apart."""

    def __init__(self, value: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.value, self.gate = value, gate

    def forward(self, hidden: Tensor) -> Tensor:
        return self.value(hidden) * torch.sigmoid(self.gate(hidden))


def halves(conv: nn.Conv2d) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The two halves of a convolution's output channels, as convolutions of their own."""
    half = conv.out_channels // 2
    return _outputs(conv, slice(half)), _outputs(conv, slice(half, None))


def _outputs(conv: nn.Conv2d, rows: slice) -> nn.Conv2d:
    part = copy.deepcopy(conv)
    part.weight = nn.Parameter(conv.weight[rows].clone())
    if conv.bias is not None:
        part.bias = nn.Parameter(conv.bias[rows].clone())
    part.out_channels = len(part.weight)
    return part


def splits(up: nn.Upsample, conv: nn.Conv2d) -> bool:
    """Whether upsampling and convolution are of the kind that `Corners` computes."""
    doubles = up.mode == "nearest" and up.scale_factor == 2
    is_3x3 = conv.kernel_size == (3, 3) and conv.stride == (1, 1) and conv.padding == (1, 1)
    return doubles and is_3x3 and conv.in_channels <= MOST_INPUTS


class Corners(nn.Module):
    """What a gated 3 × 3 convolution does to a map enlarged twice, computed on the small map.

    A window of 3 × 3 sees only 2 × 2 different pixels of a map that was enlarged by nearest
    upsampling: which, depends on the corner of the enlarged pixel where it stands. Weights that
    see the same pixel add up, so that each output costs 4 multiplications instead of 9.

    Shapes:
        hidden (B, C, H, W) -> for each corner (B, C', H, W): top left, top right, bottom left, …
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.gates = nn.ModuleList(
            Gate(*(corner(half, *place) for half in halves(conv)))
            for place in product((0, 1), repeat=2)
        )

    def forward(self, hidden: Tensor) -> list[Tensor]:
        return [gate(hidden) for gate in self.gates]


GATHERED = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
"""Along one axis, for each corner: which of 3 weights see the first and the second pixel."""


def corner(conv: nn.Conv2d, bottom: int, right: int) -> nn.Sequential:
    """The 2 × 2 convolution that computes one corner of each enlarged pixel."""
    part = nn.Conv2d(conv.in_channels, conv.out_channels, 2, bias=conv.bias is not None)
    weight = torch.einsum("yk,oikl,xl->oiyx", GATHERED[bottom], conv.weight, GATHERED[right])
    part.weight = nn.Parameter(weight.contiguous())
    if conv.bias is not None:
        part.bias = nn.Parameter(conv.bias.clone())
    return nn.Sequential(nn.ZeroPad2d((1 - right, right, 1 - bottom, bottom)), part)


class Interleave(nn.Module):
    """Four corners (B, C, H, W) to the map (B, C, 2H, 2W)."""

    def forward(self, corners: Sequence[Tensor]) -> Tensor:
        return F.pixel_shuffle(torch.stack(list(corners), dim=2).flatten(1, 2), 2)


def leave_apart(grow: nn.Module, head: nn.Module) -> nn.Module:
    """Let a head, 3 × 3 convolution first, read the corners of the map that nothing else reads.

    Args:
        grow: rewritten; where it ends in `Interleave`, that is taken off.

    Returns:
        The head to use in place of `head`.
    """
    assert isinstance(grow, nn.Sequential)
    assert isinstance(head, nn.Sequential)
    first, *rest = head
    if not isinstance(grow[-1], Interleave):
        return head
    assert isinstance(first, nn.Conv2d)
    del grow[-1]
    with torch.no_grad():
        return nn.Sequential(CornersConv(first), *rest, nn.PixelShuffle(2))


class CornersConv(nn.Module):
    """A 3 × 3 convolution of an enlarged map, from its corners to the corners of the outcome.

    Shapes:
        four (B, C, H, W) -> (B, C'·4, H, W), as `PixelShuffle` takes it
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        drawn, C = conv.weight.shape[:2]
        weight = torch.zeros(drawn, 2, 2, 2, 2, C, 3, 3)
        for bottom, right, y, x in product((0, 1), (0, 1), (-1, 0, 1), (-1, 0, 1)):
            # Where the neighbour at (y, x) lies: in which corner of which pixel.
            below, row = (bottom + y) // 2, (bottom + y) % 2
            beside, column = (right + x) // 2, (right + x) % 2
            seen = conv.weight[:, :, y + 1, x + 1]
            weight[:, bottom, right, row, column, :, below + 1, beside + 1] = seen
        self.conv = nn.Conv2d(4 * C, 4 * drawn, 3, padding=1, bias=conv.bias is not None)
        self.conv.weight = nn.Parameter(weight.reshape(4 * drawn, 4 * C, 3, 3))
        if conv.bias is not None:
            self.conv.bias = nn.Parameter(conv.bias.repeat_interleave(4))

    def forward(self, corners: Sequence[Tensor]) -> Tensor:
        return self.conv(torch.cat(list(corners), dim=1))
