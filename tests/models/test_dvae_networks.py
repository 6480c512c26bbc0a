"""Properties of the dVAE's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from t2i.models import dvae
from t2i.models.renames import new_name
from t2i.runtime.errors import UsageError

SMALL = dvae.Settings(image_px=32, codes=12, width=8, first_width=6)


def pixels(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "count"), [(dvae.Encoder, 53_786_240), (dvae.Decoder, 43_829_766)]
)
def test_sizes_of_the_paper_have_the_official_number_of_parameters(
    network: type[nn.Module], count: int
) -> None:
    """As counted in the published files."""
    with torch.device("meta"):
        made = network(dvae.Settings())
    assert sum(weight.numel() for weight in made.parameters()) == count


def official_names(*, grows: bool) -> set[str]:
    """As the official classes put their modules together."""
    names = {f"blocks.{place}.{each}" for place in ("input", "output.conv") for each in "wb"}
    for group in (1, 2, 3, 4):
        for block in (1, 2):
            changes = block == 1 and (grows or group > 1)
            layers = [f"res_path.conv_{layer}" for layer in (1, 2, 3, 4)]
            for layer in [*layers, *(["id_path"] if changes else [])]:
                names |= {f"blocks.group_{group}.block_{block}.{layer}.{each}" for each in "wb"}
    return names


@pytest.mark.parametrize(("name", "grows"), [("encoder", False), ("decoder", True)])
def test_every_official_name_has_one_of_ours(name: str, grows: bool) -> None:
    ours = {new_name(each, dvae.RENAMES[name]) for each in official_names(grows=grows)}
    assert ours == set(dvae.networks(SMALL)[name].state_dict())


@torch.no_grad()
def test_pictures_and_tokens_are_coded_alike_alone_and_in_company() -> None:
    encoder, decoder = dvae.networks(SMALL).values()
    logits = encoder(dvae.map_pixels(pixels(3)))
    assert logits.shape == (3, 12, 4, 4)
    torch.testing.assert_close(encoder(dvae.map_pixels(pixels(3)[1:2])), logits[1:2])
    location, log_scale = decoder(logits.softmax(dim=1))
    assert location.shape == log_scale.shape == (3, 3, 32, 32)
    torch.testing.assert_close(decoder(logits[1:2].softmax(dim=1))[0], location[1:2])


@torch.no_grad()
def test_tokens_are_drawn_as_what_is_wholly_one_of_them() -> None:
    decoder = dvae.Decoder(SMALL)
    nn.init.normal_(decoder.first.bias)
    tokens = torch.randint(0, 12, (2, 4, 4), generator=torch.Generator().manual_seed(0))
    location, _ = decoder(F.one_hot(tokens, 12).permute(0, 3, 1, 2).float())
    wanted = dvae.unmap_pixels(location.sigmoid())
    torch.testing.assert_close((decoder.draw(tokens) + 1) / 2, wanted)


def test_mapped_pixels_keep_a_tenth_away_from_both_ends() -> None:
    assert dvae.map_pixels(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx([0.1, 0.5, 0.9])
    torch.testing.assert_close(dvae.unmap_pixels(dvae.map_pixels(pixels(1))), pixels(1))
    assert dvae.unmap_pixels(torch.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]
    torch.testing.assert_close(dvae.mapped(2 * pixels(1) - 1), dvae.map_pixels(pixels(1)))


def test_a_relaxed_token_becomes_a_single_one_as_the_temperature_falls() -> None:
    dice = torch.Generator().manual_seed(0)
    logits, gumbel = (torch.randn(2, 12, 4, 4, generator=dice) for _ in range(2))
    for temperature in (1.0, 1 / 16, 1e-4):
        shares = dvae.relaxed(logits, gumbel, temperature)
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 4, 4))
    assert torch.equal(shares.argmax(dim=1), (logits + gumbel).argmax(dim=1))
    assert shares.amax(dim=1).min() > 0.99
    torch.testing.assert_close(
        dvae.relaxed(logits, torch.zeros_like(logits), 1.0), logits.softmax(dim=1)
    )


def test_the_gradient_reaches_every_weight() -> None:
    encoder, decoder = dvae.networks(replace(SMALL, width=64)).values()  # none of many is dead
    shares = encoder(dvae.map_pixels(pixels(2))).softmax(dim=1)
    location, log_scale = decoder(shares)
    (location.std() + log_scale.std()).backward()
    for network in (encoder, decoder):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.any(), name


def test_what_reads_and_writes_tokens_computes_in_float32_whatever_is_around_it() -> None:
    encoder, decoder = dvae.networks(SMALL).values()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        hidden = encoder.groups(encoder.first(pixels(1)))
        assert hidden.dtype == torch.bfloat16
        logits = encoder.last(hidden)
        assert decoder.first(logits.bfloat16()).dtype == torch.float32
    with torch.no_grad():
        wanted = F.conv2d(hidden.float().relu(), *encoder.last[1].parameters())
    assert torch.equal(logits, wanted)


@pytest.mark.parametrize("px", [0, 4, 36])
def test_pictures_that_cannot_be_cut_are_refused(px: int) -> None:
    with pytest.raises(UsageError, match=f"{px} px") as caught:
        _ = replace(SMALL, image_px=px).side
    assert "multiple of 8" in caught.value.hint
