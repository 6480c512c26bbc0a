"""Properties of char-CNN-RNN's encoders that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from t2i.models import charcnnrnn
from t2i.runtime.errors import UsageError
from t2i.runtime.text import CHARACTERS

UNKNOWN = len(CHARACTERS) + 1
SMALL = charcnnrnn.Settings(
    vocabulary=UNKNOWN + 1,
    text_size=12,
    first_width=8,
    second_width=10,
    recurrent_size=6,
    image="small",
    image_width=4,
    image_px=32,
)


def encoders(settings: charcnnrnn.Settings = SMALL) -> dict[str, nn.Module]:
    return {prefix: each.eval() for prefix, each in charcnnrnn.networks(settings).items()}


@pytest.mark.parametrize("recurrence", ["relu", "gru"])
def test_a_caption_reads_alike_alone_in_company_and_padded(
    recurrence: charcnnrnn.Recurrence,
) -> None:
    text = encoders(replace(SMALL, recurrence=recurrence))["text"]
    tokens = torch.randint(1, UNKNOWN, (3, 40))
    tokens[1, 25:] = 0
    together = text(tokens)
    assert together.shape == (3, SMALL.text_size)
    for row in range(3):
        torch.testing.assert_close(text(tokens[row : row + 1])[0], together[row])
    torch.testing.assert_close(text(tokens[1:2, :25]), together[1:2])
    torch.testing.assert_close(text(nn.functional.pad(tokens, (0, 300))), together)


def test_unknown_characters_light_nothing_and_letters_beyond_the_length_are_not_read() -> None:
    text = encoders()["text"]
    assert isinstance(text, charcnnrnn.TextEncoder)
    tokens = torch.randint(1, UNKNOWN, (1, 230))
    assert text.columns(tokens).sum() == charcnnrnn.LENGTH
    assert torch.equal(text(tokens), text(tokens[:, : charcnnrnn.LENGTH]))
    tokens[:, 7] = UNKNOWN
    assert not text.columns(tokens)[0, :, 7].any()
    columns = text.columns(torch.arange(1, UNKNOWN)[None])[0].argmax(dim=0)[: len(CHARACTERS)]
    assert columns.tolist() == [*range(36), *range(37, 70)]


def test_the_order_of_letters_matters() -> None:
    tokens = torch.randint(1, UNKNOWN, (1, 60))
    sentences = encoders()["text"](torch.cat([tokens, tokens.flip(1)]))
    assert not torch.allclose(sentences[0], sentences[1])


def variety(encoder: charcnnrnn.TextEncoder, tokens: torch.Tensor) -> float:
    """How far captions differ, as a share of what all have in common."""
    with torch.no_grad():
        sentences = encoder(tokens)
    return float(sentences.std(dim=0).mean() / sentences.abs().mean())


@pytest.mark.parametrize("widths", [(384, 512, 512), (32, 64, 64)])
def test_captions_differ_before_the_first_step_however_narrow_the_layers(
    widths: tuple[int, int, int],
) -> None:
    first, second, size = widths
    settings = replace(SMALL, first_width=first, second_width=second, recurrent_size=size)
    encoder, tokens = charcnnrnn.TextEncoder(settings), torch.randint(1, UNKNOWN, (8, 60))
    charcnnrnn.initialise(encoder)
    assert variety(encoder, tokens) > 0.1
    for parameter in encoder.parameters():
        nn.init.uniform_(parameter, -0.08, 0.08)
    assert (variety(encoder, tokens) > 0.05) == (widths == (384, 512, 512))


@pytest.mark.parametrize("px", [16, 32, 57, 128])
def test_pictures_of_any_size_are_seen_alike_alone_and_in_company(px: int) -> None:
    image, pictures = encoders()["image"], torch.randn(2, 3, px, px)
    together = image(pictures)
    assert together.shape == (2, SMALL.text_size)
    torch.testing.assert_close(image(pictures[1:]), together[1:])


@pytest.mark.parametrize(
    "settings", [replace(SMALL, image_px=60), charcnnrnn.Settings(9, image_px=64)]
)
def test_sizes_that_an_encoder_cannot_see_are_refused(settings: charcnnrnn.Settings) -> None:
    with pytest.raises(UsageError, match=f"{settings.image_px}") as caught:
        charcnnrnn.ImageEncoder(settings)
    assert "image_px" in caught.value.hint
