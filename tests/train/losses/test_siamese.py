"""The contrastive loss of pairs, by its equation and its slopes."""

import pytest
import torch

from t2i.train.losses import siamese


def test_it_is_half_the_mean_of_what_either_margin_leaves() -> None:
    """Equation 2 of the paper, pair by pair: y max(d, α)² + (1 - y) max(ε - d, 0)²."""
    alike, apart = torch.tensor([0.05, 0.3]), torch.tensor([0.4, 1.7])
    wanted = (0.1**2 + 0.3**2 + 0.6**2 + 0) / (2 * 4)
    got = siamese.contrastive(alike, apart, near=0.1, far=1.0)
    assert got.item() == pytest.approx(wanted)


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.5, 1.5])
def test_pairs_move_only_where_a_margin_asks_for_it(gap: float) -> None:
    for same in (True, False):
        one = torch.zeros(1, 16, requires_grad=True)
        apart = siamese.distance(one, torch.full((1, 16), gap))
        given = (apart, apart[:0]) if same else (apart[:0], apart)
        siamese.contrastive(*given, near=0.1, far=1.0).backward()
        assert one.grad is not None
        assert bool(one.grad.isfinite().all())
        slope = float(one.grad.sum())
        if same:
            assert (slope < 0) == (gap > 0.1), "nearer means towards the other, which lies above"
            assert slope <= 0
        else:
            assert (slope > 0) == (0 < gap < 1)


@pytest.mark.parametrize("size", [4, 256])
def test_distance_does_not_grow_with_the_length_of_features(size: int) -> None:
    gap = siamese.distance(torch.zeros(3, size), torch.full((3, size), 0.7))
    torch.testing.assert_close(gap, torch.full((3,), 0.7))
