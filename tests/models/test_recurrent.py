"""The recurrent block against torch's packed one."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from t2i.models.blocks.recurrent import CELLS, BidirectionalRecurrent, Cell

LENGTHS = [3, 7, 1, 5]


def mask_of(lengths: list[int], tokens: int) -> Tensor:
    return torch.arange(tokens) < torch.tensor(lengths)[:, None]


def packed_twin(block: BidirectionalRecurrent, cell: Cell) -> nn.Module:
    """torch's own bidirectional layer with the same weights."""
    twin = CELLS[cell](5, 4, batch_first=True, bidirectional=True)
    ahead, back = block.ahead.state_dict(), block.back.state_dict()
    twin.load_state_dict(ahead | {f"{name}_reverse": value for name, value in back.items()})
    return twin


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_states_are_those_of_a_packed_layer(cell: Cell) -> None:
    block, inputs = BidirectionalRecurrent(cell, 5, 4), torch.randn(len(LENGTHS), 7, 5)
    packed = pack_padded_sequence(
        inputs, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    output, last = packed_twin(block, cell)(packed)
    each, _ = pad_packed_sequence(output, batch_first=True)
    last = last[0] if cell == "lstm" else last

    states = block(inputs, mask_of(LENGTHS, 7))
    torch.testing.assert_close(states.each, each)
    torch.testing.assert_close(states.last, torch.cat([last[0], last[1]], dim=1))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_changes_nothing_whatever_it_holds(cell: Cell) -> None:
    block, inputs = BidirectionalRecurrent(cell, 5, 4), torch.randn(len(LENGTHS), 7, 5)
    short = block(inputs, mask_of(LENGTHS, 7))
    filler = torch.full((len(LENGTHS), 6, 5), 9.0)
    long = block(torch.cat([inputs, filler], dim=1), mask_of(LENGTHS, 13))
    torch.testing.assert_close(long.last, short.last)
    torch.testing.assert_close(long.each[:, :7], short.each)
    assert not long.each[:, 7:].any()


def test_padding_gets_no_gradient() -> None:
    block = BidirectionalRecurrent("lstm", 5, 4)
    inputs = torch.randn(len(LENGTHS), 7, 5, requires_grad=True)
    states = block(inputs, mask_of(LENGTHS, 7))
    (states.each.square().sum() + states.last.square().sum()).backward()
    assert inputs.grad is not None
    moved = inputs.grad.abs().sum(dim=2) > 0
    assert torch.equal(moved, mask_of(LENGTHS, 7))


def test_an_empty_caption_gives_zeros() -> None:
    states = BidirectionalRecurrent("lstm", 5, 4)(torch.randn(2, 3, 5), mask_of([0, 2], 3))
    assert not states.each[0].any()
    assert not states.last[0].any()
    assert states.last[1].all()
