"""Exact rewrites that make a network faster once it is a graph. They work on a copy.

- Batch norms fold into the convolution or linear layer before them.
- A gate becomes two convolutions, so that the runtime fuses the sigmoid and keeps its blocked
  memory layout, which a split of channels would break.
- Nearest upsampling and a 3 x 3 convolution become one transposed convolution, 4 x 4 with stride 2:
  each pixel of the larger map sees only 2 x 2 different pixels of the smaller one.
- Attention keeps places last, so that nothing large is transposed.
- A recurrent layer becomes one ONNX node.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import fusion

from t2i.export.recurrent import RecurrentNode
from t2i.models.blocks.attention import Attended, WordAttention
from t2i.models.blocks.recurrent import BidirectionalRecurrent


def rewrite(network: nn.Module) -> nn.Module:
    """A faster network that computes the same, for inference only."""
    with torch.no_grad():
        return _rewritten(copy.deepcopy(network).eval())


def _rewritten(module: nn.Module) -> nn.Module:
    for name, child in list(module.named_children()):
        setattr(module, name, _rewritten(child))
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*_fused(list(module)))
    if isinstance(module, WordAttention):
        return PlacesLast(module)
    if isinstance(module, BidirectionalRecurrent):
        return RecurrentNode(module)
    return module


def _fused(layers: list[nn.Module]) -> Iterator[nn.Module]:
    """The layers of a sequence, with those merged that can be one."""
    while layers:
        match layers:
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, *rest]:
                layers = [fusion.fuse_conv_bn_eval(conv, norm), *rest]
            case [nn.Linear() as linear, nn.BatchNorm1d() as norm, *rest]:
                layers = [fusion.fuse_linear_bn_eval(linear, norm), *rest]
            case [nn.Upsample() as up, nn.Conv2d() as conv, nn.BatchNorm2d() as norm, *rest]:
                layers = [up, fusion.fuse_conv_bn_eval(conv, norm), *rest]
            case [nn.Upsample(), nn.Conv2d() as conv, nn.GLU(), *layers]:
                yield Gate(*(transposed(half) for half in halves(conv)))
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
    """The two halves of a 3 x 3 convolution's output channels, as convolutions of their own."""
    outputs = conv.out_channels // 2
    parts = []
    for rows in (slice(0, outputs), slice(outputs, None)):
        half = nn.Conv2d(conv.in_channels, outputs, 3, padding=1, bias=conv.bias is not None)
        half.weight = nn.Parameter(conv.weight[rows].clone())
        if conv.bias is not None:
            half.bias = nn.Parameter(conv.bias[rows].clone())
        parts.append(half)
    return parts[0], parts[1]


SPREAD = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Along one axis: which of a kernel's 3 taps each of the 4 transposed ones gathers."""


def transposed(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """What a 3 x 3 convolution does to a map enlarged twice, on the map itself."""
    weight = torch.einsum("yk,oikl,xl->ioyx", SPREAD, conv.weight, SPREAD)
    merged = nn.ConvTranspose2d(
        conv.in_channels, conv.out_channels, 4, stride=2, padding=1, bias=conv.bias is not None
    )
    merged.weight = nn.Parameter(weight.contiguous())
    if conv.bias is not None:
        merged.bias = nn.Parameter(conv.bias.clone())
    return merged


class PlacesLast(nn.Module):
    """Word attention with the places of the map along the last axis throughout."""

    def __init__(self, attention: WordAttention) -> None:
        super().__init__()
        self.project = attention.project

    def forward(self, hidden: Tensor, words: Tensor, mask: Tensor) -> Attended:
        projected = self.project(words.unsqueeze(3)).squeeze(3)  # (B, C, T)
        logits = projected.transpose(1, 2) @ hidden.flatten(2)  # (B, T, H·W)
        logits = logits.masked_fill(~mask.transpose(1, 2), float("-inf"))
        # The softmax operator wants its axis last, and would transpose twice.
        weights = torch.exp(logits - logits.amax(dim=1, keepdim=True))
        shares = weights / weights.sum(dim=1, keepdim=True)
        size = hidden.shape[2:]
        return Attended((projected @ shares).unflatten(2, size), shares.unflatten(2, size))
