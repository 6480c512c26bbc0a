"""Properties of STREAM's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from networks import parameters

from t2i.models import stream
from t2i.runtime.errors import UsageError

CUB = stream.Settings(vocabulary=5453)
TOY = stream.Settings(
    vocabulary=11, embedding=6, state_size=8, image="small", image_width=2, image_px=16
)
TOKENS = torch.tensor([[3, 9, 4, 1, 7], [5, 6, 0, 0, 0], [8, 0, 0, 0, 0]])


def test_papers_sizes_have_the_official_number_of_parameters() -> None:
    """torchvision counts 60,192,808 in ResNet-152, of which its classifier has 2,049,000."""
    with torch.device("meta"):
        networks = stream.networks(CUB)
    resnet, code, norm = 60_192_808 - 2_049_000, 2048 * 256 + 256, 2 * 256
    assert parameters(networks["image"]) == resnet + code + norm
    recurrent = 4 * 512 * (256 + 512) + 2 * 4 * 512
    assert parameters(networks["caption"]) == 5453 * 256 + recurrent + 5453 * (512 + 1)


@torch.no_grad()
def test_word_by_word_is_what_whole_captions_give() -> None:
    captioner, picture = stream.Captioner(TOY), torch.randn(3, 6)
    whole = captioner(picture, TOKENS[:1].expand(3, -1))
    state, word = torch.zeros(3, 2, 8), torch.zeros(3, dtype=torch.int64)
    for place in range(TOKENS.shape[1] + 1):
        logits, state = captioner.step(picture, word, state)
        torch.testing.assert_close(logits, whole[:, place])
        word = TOKENS[:1, min(place, 4)].expand(3)


@torch.no_grad()
def test_padding_changes_no_word_that_counts() -> None:
    captioner, picture = stream.Captioner(TOY), torch.randn(3, 6)
    together = captioner(picture, TOKENS)
    alone = captioner(picture[1:2], TOKENS[1:2, :2])
    torch.testing.assert_close(together[1:2, :3], alone)


@torch.no_grad()
def test_pictures_of_any_size_are_read_alike_alone_and_in_company() -> None:
    reader = stream.PictureReader(TOY).eval()
    pictures = torch.randn(3, 3, 20, 28).tanh()
    together = reader(pictures)
    assert together.shape == (3, 6)
    torch.testing.assert_close(reader(pictures[1:2]), together[1:2])


def test_a_size_that_the_trunk_does_not_see_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="224 px, not 64") as caught:
        stream.PictureReader(replace(CUB, image_px=64))
    assert "image=small" in caught.value.hint
