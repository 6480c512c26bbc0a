"""Both ways over captions of unequal lengths, without packing."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

Cell = Literal["lstm", "gru"]
CELLS: dict[Cell, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class States(NamedTuple):
    """What a recurrent block read: a state a token, and the last state of each way."""

    each: Tensor
    last: Tensor


class BidirectionalRecurrent(nn.Module):
    """One bidirectional LSTM or GRU layer; gives what a packed one gives, and exports.

    Padding trails, so the way ahead meets it only after the caption's last word. For the way
    back each caption is reversed within its own length, read ahead, and its states put back.
    `ahead` and `back` are plain one-way layers, with torch's names, shapes and order of gates
    (LSTM: i, f, g, o; GRU: r, z, n): an exporter may replace this body by one ONNX node with
    `sequence_lens`, stacking their weights in this order.

    Shapes:
        inputs (B, T, E), mask (B, T) bool, True = a word -> each (B, T, 2H), zero at padding;
        last (B, 2H). Both hold the way ahead first. An empty caption gives zeros.

    Source:
        Official name: `rnn`, packed; the way back has the suffix `_reverse` there.
    """

    def __init__(self, cell: Cell, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.ahead = CELLS[cell](input_size, hidden_size, batch_first=True)
        self.back = CELLS[cell](input_size, hidden_size, batch_first=True)

    def forward(self, inputs: Tensor, mask: Tensor) -> States:
        length = mask.sum(dim=1, keepdim=True)  # (B, 1)
        place = torch.arange(mask.shape[1], device=mask.device)  # (T,)
        mirrored = torch.where(mask, length - 1 - place, place)  # its own inverse
        ahead, _ = self.ahead(inputs)
        back, _ = self.back(_reorder(inputs, mirrored))
        words = mask.unsqueeze(2)
        ahead = ahead.masked_fill(~words, 0.0)
        back = _reorder(back, mirrored).masked_fill(~words, 0.0)
        end = (length - 1).clamp(min=0)
        last = torch.cat([_reorder(ahead, end)[:, 0], back[:, 0]], dim=1)
        return States(torch.cat([ahead, back], dim=2), last)


def _reorder(sequence: Tensor, places: Tensor) -> Tensor:
    """Rows of (B, T, C) at the places (B, N): (B, N, C)."""
    return sequence.gather(1, places.unsqueeze(2).expand(-1, -1, sequence.shape[2]))
