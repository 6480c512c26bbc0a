"""Properties of the paired training: windows, their corners, and the likeness of pictures."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from t2i.train.losses.paired import likeness
from t2i.train.recipes.paired import window_corners, windows


@given(st.integers(8, 64), st.data())
def test_windows_lie_inside_and_reach_every_border(side: int, data: st.DataObject) -> None:
    window = data.draw(st.integers(4, side))
    torch.manual_seed(0)
    corners = window_corners(400, side, window)
    assert corners.min() == 0
    assert corners.max() == side - window


def test_a_window_at_twice_the_size_shows_the_same_place() -> None:
    torch.manual_seed(0)
    small = torch.rand(3, 2, 8, 8)
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    corners = window_corners(3, 8, 5)
    doubled = windows(small, corners, 5).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(windows(large, corners * 2, 10), doubled)


def test_likeness_counts_pixels_and_slopes_by_weight() -> None:
    real = torch.zeros(1, 1, 1, 3)
    fake = torch.tensor([[[[0.0, 0.5, 0.0]]]])
    weight = torch.tensor([[[[1.0, 2.0, 1.0]]]])
    pixels = 2.0 * 0.5 / 3
    across = (2.0 * 0.5 + 1.0 * 0.5) / 2
    taller = [each.expand(1, 1, 2, 3) for each in (fake, real, weight)]
    assert torch.isclose(likeness(*taller), torch.tensor(pixels + across))
    assert likeness(real.expand(1, 1, 2, 3), *taller[1:]) == 0
