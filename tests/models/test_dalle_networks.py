"""Properties of DALL-E's transformer: who sees whom, and that a cache changes nothing."""

from dataclasses import replace

import pytest
import torch

from t2i.models import dalle, dvae
from t2i.runtime.errors import UsageError

SIZES = dalle.Settings(
    vocabulary=20,
    length=6,
    layers=4,
    width=128,
    dvae=dvae.Settings(image_px=64, codes=12, width=8, first_width=8),
)
LENGTH, SIDE, COUNT = SIZES.length, 8, 64
TOKENS = torch.tensor([[18, 3, 4, 19, 0], [18, 7, 19, 0, 0], [18, 1, 2, 5, 19]])


def transformer(settings: dalle.Settings = SIZES) -> dalle.Transformer:
    torch.manual_seed(0)
    return dalle.Transformer(settings).eval()


def pictures(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 12, (count, COUNT), generator=torch.Generator().manual_seed(0))


def sees(kind: dalle.Kind, token: int, other: int, side: int) -> bool:
    """By the words of the paper, for two tokens of a picture, numbered row by row."""
    up, right = token // side - other // side, token % side - other % side
    match kind:
        case "row":
            return other <= token <= other + side
        case "column":
            return right == 0 and up >= 0
        case "convolution":  # what leaves a row at one end comes back a row further at the other
            near = [(rows, columns) for rows in range(6) for columns in range(-5, 6)]
            places = {token - rows * side + columns for rows, columns in near}
            return other in places and other <= token


@pytest.mark.parametrize("side", [4, 7, 12])
@pytest.mark.parametrize("kind", ["row", "column", "convolution"])
def test_masks_are_those_of_the_paper_token_by_token(kind: dalle.Kind, side: int) -> None:
    length = 5
    found = dalle.mask(kind, length, side)
    assert found.shape == (length + side**2,) * 2
    for place in range(len(found)):
        for other in range(len(found)):
            if other > place:
                wanted = False
            elif place <= length or other <= length:  # the caption, and what begins the picture
                wanted = True
            else:
                wanted = sees(kind, place - length - 1, other - length - 1, side)
            assert found[place, other] == wanted, (place, other)


def test_a_convolution_sees_half_of_eleven_by_eleven_and_rows_go_up_to_the_token_above() -> None:
    assert len(dalle.offsets("convolution", 32)) == 5 * 11 + 5 + 1
    assert dalle.offsets("row", 32) == list(range(33))
    assert dalle.offsets("column", 32) == list(range(0, 1024, 32))


def test_layers_follow_the_papers_pattern() -> None:
    found = dalle.kinds(64)
    assert found[:7] == ("row", "column", "row", "row", "row", "column", "row")
    columns = [layer for layer, kind in enumerate(found, 1) if kind == "column"]
    assert columns == [layer for layer in range(1, 64) if (layer - 2) % 4 == 0]
    assert found[63] == "convolution"
    assert found.count("convolution") == 1
    assert set(dalle.kinds(3)) == set(found), "the fewest that have all kinds"


def test_the_papers_size_has_twelve_billion_parameters() -> None:
    """Counted by hand from the paper's table."""
    with torch.device("meta"):
        network = dalle.Transformer(dalle.Settings(vocabulary=16_384))
    d, texts, codes = 62 * 64, 16_384 + 256, 8192
    attention, mlp, norms = 4 * d * d + 4 * d, 8 * d * d + 5 * d, 4 * d
    embedded = (texts + codes + 256 + 1 + 32 + 32) * d
    told = (texts + codes) * (d + 1) + 2 * d
    count = sum(weight.numel() for weight in network.parameters())
    assert count == 64 * (attention + mlp + norms) + embedded + told
    assert count == pytest.approx(12e9, rel=0.03)


@torch.no_grad()
def test_each_token_is_foretold_by_those_before_it_alone() -> None:
    network = transformer()
    codes = pictures()
    text, image = network(TOKENS, codes)
    assert text.shape == (3, LENGTH - 1, 20 + LENGTH)
    assert image.shape == (3, COUNT, 12)
    for place in (0, 5, 40, COUNT - 1):
        changed = codes.clone()
        changed[:, place:] = (changed[:, place:] + 1) % 12
        again_text, again = network(TOKENS, changed)
        torch.testing.assert_close(again_text, text)
        torch.testing.assert_close(again[:, : place + 1], image[:, : place + 1])
        if place < COUNT - 1:
            assert not torch.allclose(again[:, place + 1], image[:, place + 1])
    other = TOKENS.clone()
    other[:, 1] += 1
    again_text, again = network(other, codes)
    torch.testing.assert_close(again_text[:, 0], text[:, 0])
    assert not torch.allclose(again[:, -1], image[:, -1])


@torch.no_grad()
def test_what_follows_the_end_of_a_caption_is_told_by_its_place_alone() -> None:
    network = transformer()
    spoken = network.spoken(TOKENS)
    assert spoken.tolist()[0] == [18, 3, 4, 20 + 3, 20 + 4, 20 + 5]
    more = torch.tensor([[18, 3, 4, 19, 11, 12]])
    assert torch.equal(network.spoken(more), spoken[:1])
    assert torch.equal(network.spoken(TOKENS[:1, :4]), spoken[:1])


@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_step_by_step_with_a_cache_all_logits_are_those_of_the_whole(batch: int) -> None:
    network = transformer()
    tokens, codes = TOKENS[:batch], pictures()[:batch]
    _, wanted = network(tokens, codes)
    first, caption = network.read(tokens)
    torch.testing.assert_close(first, wanted[:, 0])
    shape = (COUNT, SIZES.layers, batch, SIZES.width)
    picture = dalle.Rows(torch.full(shape, 1e3), torch.full(shape, 1e3))  # is never looked at
    for place in range(COUNT - 1):
        logits, row = network.go_on(codes[:, place], torch.tensor([place]), caption, picture)
        picture.key[place], picture.value[place] = row
        torch.testing.assert_close(logits, wanted[:, place + 1], atol=1e-5, rtol=1e-4)


def test_the_gradient_reaches_every_weight() -> None:
    network = transformer()
    text, image = network(TOKENS, pictures())
    (text.std() + image.std()).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


def test_widths_that_make_no_heads_are_refused() -> None:
    with pytest.raises(UsageError, match="100 channels") as caught:
        dalle.Transformer(replace(SIZES, width=100))
    assert caught.value.hint
