"""Properties of DAMSM's encoders that no golden number shows."""

import pytest
import torch
from torch import nn

from t2i.models import damsm
from t2i.runtime.errors import UsageError

SMALL = damsm.Settings(
    vocabulary=20, embedding=8, text_size=12, image="small", image_width=4, image_px=32
)


def encoders(settings: damsm.Settings = SMALL) -> dict[str, nn.Module]:
    return {prefix: each.eval() for prefix, each in damsm.networks(settings).items()}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_words_of_a_caption_do_not_depend_on_company_or_padding(cell: str) -> None:
    text = encoders(damsm.Settings(vocabulary=20, cell=cell, image="small", image_px=8))["text"]
    tokens = torch.tensor([[3, 9, 4, 1, 7], [5, 6, 0, 0, 0]])
    together, alone = text(tokens), text(tokens[1:, :2])
    assert together.words.shape == (2, 256, 5)
    torch.testing.assert_close(together.words[1:, :, :2], alone.words)
    torch.testing.assert_close(together.sentence[1:], alone.sentence)
    assert not together.words[1, :, 2:].any()
    assert torch.equal(together.mask, tokens != 0)


def test_order_of_words_matters() -> None:
    sentence = encoders()["text"](torch.tensor([[3, 9, 4], [9, 3, 4]])).sentence
    assert not torch.allclose(sentence[0], sentence[1])


@pytest.mark.parametrize("px", [16, 32, 57, 128])
def test_pictures_of_any_size_give_the_documented_shapes(px: int) -> None:
    image = encoders()["image"](torch.randn(2, 3, px, px))
    assert image.regions.shape == (2, 12, SMALL.regions, SMALL.regions) == (2, 12, 4, 4)
    assert image.code.shape == (2, 12)


def test_a_picture_is_seen_alike_alone_and_in_company() -> None:
    image, pictures = encoders()["image"], torch.randn(3, 3, 40, 40)
    together, alone = image(pictures), image(pictures[1:2])
    torch.testing.assert_close(together.regions[1:2], alone.regions)
    torch.testing.assert_close(together.code[1:2], alone.code)


def test_a_larger_picture_is_averaged_not_sampled() -> None:
    """One bright pixel in 8 × 8 still counts at a quarter of the size."""
    image = encoders()["image"]
    dark = torch.full((1, 3, 128, 128), -1.0)
    dotted = dark.clone()
    dotted[:, :, ::8, ::8] = 1.0
    assert not torch.allclose(image(dark).code, image(dotted).code)


def test_regions_lie_where_they_are_in_the_picture() -> None:
    image, plain = encoders()["image"], torch.zeros(1, 3, 64, 64)
    corner = plain.clone()
    corner[:, :, :8, 56:] = 1.0  # half a region's side, upper right
    change = (image(corner).regions - image(plain).regions).abs().sum(dim=1)[0]
    assert change[0, -1] > 0
    assert not change[:, :2].any()
    assert not change[-1].any()


def test_inception_has_the_official_parameters() -> None:
    with torch.device("meta"):
        image = damsm.ImageEncoder(damsm.Settings(vocabulary=1))
    trunk = sum(each.numel() for each in image.trunk.parameters())
    # torchvision's 27,161,264 less the classifier (2,049,000) and the auxiliary one (3,326,696).
    assert trunk == 27_161_264 - 2_049_000 - 3_326_696
    assert (image.local.weight.shape, image.whole.weight.shape) == ((256, 768, 1, 1), (256, 2048))


@pytest.mark.parametrize(
    "settings",
    [
        damsm.Settings(vocabulary=1, image="small", image_px=60),
        damsm.Settings(vocabulary=1, image="small", image_px=0),
        damsm.Settings(vocabulary=1, image_px=64),
    ],
)
def test_sizes_that_an_encoder_cannot_see_are_refused(settings: damsm.Settings) -> None:
    with pytest.raises(UsageError, match=f"{settings.image_px}") as caught:
        damsm.ImageEncoder(settings)
    assert "image_px" in caught.value.hint
