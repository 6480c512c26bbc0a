"""The structured joint embedding loss, against sums written out as the paper has them."""

import pytest
import torch

from t2i.train.losses import embedding

SCORES = torch.tensor([[3.0, 2.5, 0.0], [1.0, 1.5, 4.0], [0.0, 0.25, 1.0]])
"""Of pictures (rows) with captions: codes beside the identity as sentences."""


@pytest.mark.parametrize(
    ("classes", "by_picture", "by_caption"),
    [
        (None, [0.5, 0.0, 0.5, 3.5, 0.0, 0.25], [0.0, 0.0, 2.0, 0.0, 0.0, 4.0]),
        ([5, 5, 7], [0.0, 0.0, 0.0, 3.5, 0.0, 0.25], [0.0, 0.0, 0.0, 0.0, 0.0, 4.0]),
        ([2, 2, 2], [0.0], [0.0]),
    ],
)
def test_only_others_within_the_margin_cost(
    classes: list[int] | None, by_picture: list[float], by_caption: list[float]
) -> None:
    labels = None if classes is None else torch.tensor(classes)
    terms = embedding.structured(SCORES, torch.eye(3), labels)
    assert terms["caption_of_picture"] == pytest.approx(sum(by_picture) / 9)
    assert terms["picture_of_caption"] == pytest.approx(sum(by_caption) / 9)


def test_the_loss_equals_the_official_loops() -> None:
    torch.manual_seed(0)
    codes, sentences = torch.randn(5, 4), torch.randn(5, 4)
    terms = embedding.structured(codes, sentences, None)
    for name, one, other in (
        ("caption_of_picture", codes, sentences),
        ("picture_of_caption", sentences, codes),
    ):
        total = 0.0
        for i in range(5):
            for j in range(5):
                if j != i:
                    total += max(0.0, float(one[i] @ other[j] - one[i] @ other[i]) + 1)
        assert terms[name] == pytest.approx(total / 25, rel=1e-5)
