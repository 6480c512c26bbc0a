"""A bidirectional recurrent layer as one ONNX node, which reads lengths instead of masks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from t2i.models.blocks.recurrent import BidirectionalRecurrent, States

Attributes = dict[
    str, int | float | str | bool | Sequence[int] | Sequence[float] | Sequence[str] | Sequence[bool]
]

# Gates as ONNX orders them, by their places in torch's order (LSTM: i, f, g, o; GRU: r, z, n).
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}


class RecurrentNode(nn.Module):
    """Can be traced but not run: in PyTorch an ONNX node gives zeros."""

    def __init__(self, block: BidirectionalRecurrent) -> None:
        super().__init__()
        self.kind = "LSTM" if isinstance(block.ahead, nn.LSTM) else "GRU"
        self.hidden_size = block.ahead.hidden_size
        ways = (block.ahead, block.back)
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        inputs, states, *biases = (
            torch.stack([self._ordered(getattr(way, name)) for way in ways]) for name in names
        )
        self.inputs, self.states = nn.Parameter(inputs), nn.Parameter(states)
        self.biases = nn.Parameter(torch.cat(biases, dim=1))

    def _ordered(self, weight: Tensor) -> Tensor:
        gates = weight.detach().chunk(len(GATES[self.kind]))
        return torch.cat([gates[place] for place in GATES[self.kind]])

    def forward(self, inputs: Tensor, mask: Tensor) -> States:
        B, T, _ = inputs.shape
        attributes: Attributes = {"hidden_size": self.hidden_size, "direction": "bidirectional"}
        if self.kind == "GRU":
            attributes["linear_before_reset"] = 1  # as torch computes it
        length = mask.sum(dim=1).to(torch.int32)
        each, last = torch.onnx.ops.symbolic_multi_out(
            self.kind,
            (inputs.transpose(0, 1), self.inputs, self.states, self.biases, length),
            attributes,
            dtypes=(torch.float32, torch.float32),
            shapes=((T, 2, B, self.hidden_size), (2, B, self.hidden_size)),
        )
        return States(
            each.permute(2, 0, 1, 3).reshape(B, T, 2 * self.hidden_size),
            last.permute(1, 0, 2).reshape(B, 2 * self.hidden_size),
        )
