"""What tests of networks share."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


def interleaved(mask: Tensor, rows: int) -> Tensor:
    """The masks of a batch in the order of the official attentions: (B, T) -> (B, rows, T).

    They tile the whole batch's mask over places that lie caption by caption, so that row r, of
    caption r // rows, meets the mask of caption r % B.
    """
    return mask.repeat(rows, 1).unflatten(0, (len(mask), rows))


@pytest.fixture(scope="session")
def official_mask() -> Callable[[Tensor, int], Tensor]:
    return interleaved


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)
