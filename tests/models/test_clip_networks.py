"""Properties of CLIP's networks that no golden number shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from t2i.models import clip
from t2i.runtime.errors import UsageError

VIT = clip.Settings(
    vocabulary=20,
    length=9,
    embed_size=12,
    image_px=32,
    image_layers=2,
    image_width=64,
    patch_px=8,
    text_width=64,
    text_layers=2,
)
RESNET = replace(VIT, image_px=64, image_layers=(1, 2, 1, 1), image_width=8)


def captions(count: int) -> torch.Tensor:
    return torch.randint(1, 18, (count, 6), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("settings", [VIT, RESNET])
@torch.no_grad()
def test_pictures_and_captions_are_read_alike_alone_and_in_company(settings: clip.Settings) -> None:
    network = clip.Clip(settings).eval()
    images, tokens = torch.randn(3, 3, settings.image_px, settings.image_px), captions(3)
    pictures, texts = network.image(images), network.text(tokens)
    assert pictures.shape == texts.shape == (3, 12)
    torch.testing.assert_close(network.image(images[1:2]), pictures[1:2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.text(tokens[1:2]), texts[1:2], atol=1e-5, rtol=1e-4)
    cosines = torch.cosine_similarity(pictures[:, None], texts, dim=2)
    torch.testing.assert_close(network(images, tokens), cosines / 0.07, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_follows_the_end_of_a_text_is_not_read() -> None:
    network = clip.TextEncoder(VIT).eval()
    text = torch.tensor([[18, 3, 4, 19]])
    padded, longer = (torch.tensor([[18, 3, 4, 19, *rest]]) for rest in ([0, 0], [7, 5, 19]))
    torch.testing.assert_close(network(padded), network(text))
    torch.testing.assert_close(network(longer), network(text))
    assert not torch.allclose(network(torch.tensor([[18, 4, 3, 19]])), network(text), atol=1e-3)


@pytest.mark.parametrize("settings", [VIT, RESNET])
def test_the_gradient_reaches_every_weight(settings: clip.Settings) -> None:
    network = clip.Clip(settings)
    for weight in network.parameters():  # the last gains of residual blocks begin at zero
        if weight.ndim == 1:
            torch.nn.init.normal_(weight, 1.0, 0.1)
    network(torch.randn(2, 3, settings.image_px, settings.image_px), captions(2)).std().backward()
    assert not [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_px": 7}, "patches of 7"),
        ({"image_width": 72}, "72 channels"),
        ({"text_width": 32}, "32 channels"),
        ({"image_layers": (1, 1, 1, 1), "image_px": 48}, "48 px"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        clip.Clip(replace(VIT, **change))
    assert caught.value.hint


@pytest.mark.parametrize(("height", "width"), [(61, 90), (90, 61), (24, 24), (20, 33), (33, 200)])
def test_any_picture_is_prepared_as_pillow_prepares_it(height: int, width: int) -> None:
    """Across first, then down: of late Pillow turns this for what is twice as tall as broad."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    short = min(height, width)
    size = (int(24 * width / short), int(24 * height / short))
    resized = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    top, left = (round((side - 24) / 2) for side in resized.shape[:2])
    wanted = resized[top : top + 24, left : left + 24] / 255.0
    wanted = (wanted - np.array(clip.MEAN)) / np.array(clip.SPREAD)
    found = clip.Preprocess(24)(torch.from_numpy(pixels)[None])[0].permute(1, 2, 0)
    assert np.abs(found.numpy() - wanted).max() < 1e-5


def test_pictures_in_both_ranges_are_normalised_alike() -> None:
    levels = torch.randint(0, 256, (2, 3, 4, 4)).float()
    torch.testing.assert_close(clip.normalised(levels / 127.5 - 1), clip.normalised_levels(levels))
