"""The alignment of captions and latents, against its formula written out."""

import math

import pytest
import torch

from t2i.train.losses import alignment


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_it_is_the_cross_entropy_of_finding_the_nearest() -> None:
    sentences, latents = torch.randn(5, 3), torch.randn(5, 3)
    wanted = {"picture_of_caption": 0.0, "caption_of_picture": 0.0}
    for i in range(5):
        gaps = [float((sentences[i] - latents[j]).norm()) for j in range(5)]
        others = [float((sentences[j] - latents[i]).norm()) for j in range(5)]
        for name, row in (("picture_of_caption", gaps), ("caption_of_picture", others)):
            total = sum(math.exp(-gap / 0.5) for gap in row)
            wanted[name] -= math.log(math.exp(-row[i] / 0.5) / total) / 5
    one = alignment.losses(sentences, latents, 0.5, symmetric=False)
    assert set(one) == {"picture_of_caption"}
    assert float(one["picture_of_caption"]) == pytest.approx(wanted["picture_of_caption"], rel=1e-5)
    both = alignment.losses(sentences, latents, 0.5, symmetric=True)
    assert {name: 2 * float(value) for name, value in both.items()} == pytest.approx(
        wanted, rel=1e-5
    )


def test_what_is_equally_far_costs_the_logarithm_of_the_batch() -> None:
    same = torch.randn(1, 4).expand(8, 4)
    (loss,) = alignment.losses(torch.randn(8, 4), same, 0.1, symmetric=False).values()
    assert float(loss) == pytest.approx(math.log(8), rel=1e-6)


def test_small_distances_of_far_away_points_count() -> None:
    """As by a product of matrices they would not, in float32."""
    latents = 1000 + torch.eye(32) / 50
    (loss,) = alignment.losses(latents + 1e-4, latents, 1e-3, symmetric=False).values()
    assert float(loss) < 1e-3


def test_pairs_that_meet_have_finite_gradients() -> None:
    sentences = torch.randn(4, 3, requires_grad=True)
    (loss,) = alignment.losses(sentences, sentences.detach(), 1.0, symmetric=False).values()
    loss.backward()
    assert sentences.grad is not None
    assert sentences.grad.isfinite().all()
