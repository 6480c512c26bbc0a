"""Properties of Inception: sizes, shapes, and in what it differs from torchvision's."""

import pytest
import torch

from t2i.models import inception
from t2i.models.encoders.inception import NAMES
from t2i.runtime.errors import UsageError

SMALL = inception.Settings(kinds=5, px=75, thinner=16)


def built(settings: inception.Settings) -> inception.Inception:
    (network,) = inception.networks(settings).values()
    assert isinstance(network, inception.Inception)
    return network


def test_the_official_network_has_its_number_of_parameters() -> None:
    """torchvision's 27,161,264 less its auxiliary classifier's, and 8 kinds more."""
    with torch.device("meta"):
        network = built(inception.Settings())
    auxiliary = 768 * 128 + 2 * 128 + 128 * 768 * 25 + 2 * 768 + 768 * 1000 + 1000
    wanted = 27_161_264 - auxiliary + 8 * (2048 + 1)
    assert sum(each.numel() for each in network.parameters()) == wanted
    assert tuple(name for name, _ in network.named_children()) == (*NAMES, "fc")


@pytest.mark.parametrize(("height", "width"), [(75, 75), (32, 48), (130, 80)])
def test_pictures_of_any_size_give_the_documented_shapes(height: int, width: int) -> None:
    seen = built(SMALL).eval()(torch.randn(2, 3, height, width))
    assert (seen.features.shape, seen.logits.shape) == ((2, 128), (2, 5))


def test_a_picture_is_seen_alike_alone_and_in_company() -> None:
    network, pictures = built(SMALL).eval(), torch.randn(3, 3, 80, 80)
    together, alone = network(pictures), network(pictures[1:2])
    torch.testing.assert_close(together.features[1:2], alone.features)


def test_means_leave_the_padding_out_and_the_last_block_takes_the_maximum() -> None:
    ones = torch.ones(1, 1, 4, 4)
    assert torch.equal(inception.mean(ones), ones)
    network = built(SMALL)
    assert network.Mixed_7b.smooth is inception.mean
    dot = torch.zeros(1, 1, 3, 3)
    dot[..., 1, 1] = 1
    assert torch.equal(network.Mixed_7c.smooth(dot), torch.ones(1, 1, 3, 3))


def test_logits_count_the_bias_only_where_asked() -> None:
    pictures = torch.randn(2, 3, 75, 75)
    for biased in (False, True):
        network = built(inception.Settings(5, biased, 75, 16)).eval()
        seen = network(pictures)
        plain = seen.features @ network.fc.weight.T
        torch.testing.assert_close(seen.logits, plain + network.fc.bias if biased else plain)


@pytest.mark.parametrize("settings", [inception.Settings(px=74), inception.Settings(thinner=3)])
def test_sizes_that_leave_nothing_are_refused(settings: inception.Settings) -> None:
    with pytest.raises(UsageError) as caught:
        built(settings)
    assert "75" in caught.value.hint
