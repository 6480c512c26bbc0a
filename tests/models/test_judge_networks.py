"""Properties of the judge's network."""

from typing import Literal

import pytest
import torch

from t2i.models import judge
from t2i.models.blocks.resizing import resized
from t2i.runtime.errors import UsageError

TRUNKS: tuple[Literal["residual", "plain"], ...] = ("residual", "plain")
SMALL = judge.Settings(attributes=(3, 2), width=4, features=5, px=32)


def reader(trunk: Literal["residual", "plain"] = "residual") -> judge.Judge:
    """A network whose batch norms have seen pictures."""
    sizes = judge.Settings(SMALL.attributes, trunk, SMALL.width, SMALL.features, SMALL.px)
    (network,) = judge.networks(sizes).values()
    with torch.no_grad():
        for _ in range(30):
            network(torch.rand(16, 3, 32, 32) * 2 - 1)
    return network.eval()


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 32), (57, 40), (128, 128)])
def test_pictures_of_any_size_give_the_documented_shapes(
    trunk: Literal["residual", "plain"], height: int, width: int
) -> None:
    network, pictures = reader(trunk), torch.randn(2, 3, height, width)
    reading = network(pictures)
    assert (reading.features.shape, reading.attributes.shape) == ((2, 5), (2, 3 + 2))
    shapes = [tuple(each.shape) for each in network.maps(resized(pictures, SMALL.px))]
    assert shapes == [(2, 4, 16, 16), (2, 8, 8, 8), (2, 16, 4, 4), (2, 16, 4, 4)]


@pytest.mark.parametrize("trunk", TRUNKS)
def test_a_picture_is_read_alike_alone_and_in_company(
    trunk: Literal["residual", "plain"],
) -> None:
    network, pictures = reader(trunk), torch.randn(3, 3, 40, 40)
    together, alone = network(pictures), network(pictures[1:2])
    torch.testing.assert_close(together.features[1:2], alone.features)
    torch.testing.assert_close(together.attributes[1:2], alone.attributes)


def test_the_trunks_are_of_different_kinds() -> None:
    kinds = {
        trunk: {type(module).__name__ for module in reader(trunk).modules()} for trunk in TRUNKS
    }
    assert "Residual" in kinds["residual"] - kinds["plain"]
    assert "MaxPool2d" in kinds["plain"] - kinds["residual"]


def test_features_have_mean_0_and_variance_1_over_what_was_trained_on() -> None:
    (network,) = judge.networks(SMALL).values()
    features = network(torch.randn(64, 3, 32, 32)).features
    torch.testing.assert_close(features.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.var(dim=0, correction=0), torch.ones(5), atol=1e-2, rtol=0)


def test_attributes_are_linear_in_the_features() -> None:
    network = reader()
    reading = network(torch.randn(2, 3, 32, 32))
    weight, bias = network.attributes.weight, network.attributes.bias
    torch.testing.assert_close(reading.attributes, reading.features @ weight.T + bias)


def test_a_part_is_told_by_what_it_is_like_and_where_it_is() -> None:
    """One place that is sought without doubt: its own numbers, then row and column in [-1, 1]."""
    parts = judge.Parts(fine=2, coarse=1, side=4)
    fine = torch.zeros(1, 2, 4, 4)
    fine[0, 0, 3, 0], fine[0, 1] = 1.0, torch.arange(16.0).view(4, 4)
    with torch.no_grad():
        for each in parts.parameters():
            each.zero_()
        parts.fine.weight[: judge.PARTS, 0] = 1000.0
        parts.fine.weight[judge.PARTS :, 1] = 1.0
        told = parts(fine, torch.zeros(1, 1, 2, 2)).view(judge.PARTS, judge.SEEN + 2)
    assert (told[:, : judge.SEEN] == fine[0, 1, 3, 0]).all()
    assert (told[:, -2:] == torch.tensor([1.0, -1.0])).all()


def test_it_matters_where_something_is() -> None:
    network, picture = reader(), torch.full((1, 3, 32, 32), -1.0)
    picture[..., 8:24, :16] = 1.0
    assert not torch.allclose(network(picture).features, network(picture.flip(3)).features)


def test_a_larger_picture_is_averaged_not_sampled() -> None:
    network, dark = reader(), torch.full((1, 3, 256, 256), -1.0)
    dotted = dark.clone()
    dotted[:, :, ::8, ::8] = 1.0
    assert not torch.allclose(network(dark).features, network(dotted).features)


def test_a_window_is_seen_as_in_the_whole() -> None:
    """Away from its border, which the trunk's padding reaches."""
    network, picture = reader(), torch.randn(1, 3, 32, 32)
    whole, window = network.maps(picture), network.maps(picture[:, :, 8:32, 8:32])
    torch.testing.assert_close(whole[0][:, :, 5:15, 5:15], window[0][:, :, 1:11, 1:11])


def test_the_perceptual_maps_pass_gradients_to_the_picture() -> None:
    pictures = torch.randn(1, 3, 48, 48, requires_grad=True)
    maps = reader("plain").maps(resized(pictures, SMALL.px))
    sum(each.square().mean() for each in maps).backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0


@pytest.mark.parametrize("px", [0, 4, 100])
def test_sizes_that_cannot_be_seen_are_refused(px: int) -> None:
    with pytest.raises(UsageError, match=f"{px} px") as caught:
        judge.Judge(judge.Settings(attributes=(2,), px=px))
    assert "multiple" in caught.value.hint
