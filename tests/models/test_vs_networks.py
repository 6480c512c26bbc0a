"""Properties of the VS similarity networks, and the official names of their weights."""

from dataclasses import replace

import pytest
import torch
from networks import parameters

from t2i.models import renames, vs
from t2i.models.encoders import inceptionresnet
from t2i.runtime.errors import UsageError

SMALL = vs.Settings(
    vocabulary=71, text_size=6, image="small", image_width=4, image_px=32, space_size=9
)


def test_the_trunk_and_the_maps_have_the_official_number_of_parameters() -> None:
    with torch.device("meta"):
        networks = vs.networks(vs.Settings(vocabulary=71))
    # The port's 55,843,464, of which its classifier of 1,000 classes has 1,536,000 + 1,000.
    assert parameters(networks["image"]) == 55_843_464 - 1_537_000
    assert parameters(networks["space"]) == 512 * (1536 + 1) + 512 * (1024 + 1)


@torch.no_grad()
def test_inception_resnet_gives_the_documented_shapes_at_any_size() -> None:
    trunk = inceptionresnet.InceptionResNetTrunk().eval()
    maps, pooled = trunk(torch.randn(1, 3, 80, 64))
    assert (maps.shape, pooled.shape) == ((1, 1088, 17, 17), (1, 1536))


@torch.no_grad()
def test_only_directions_count() -> None:
    space = vs.Space(5, 6, 9)
    codes, sentences = space.place_image(torch.randn(4, 5)), space.place_sentence(torch.randn(4, 6))
    for placed in (codes, sentences):
        assert placed.shape == (4, 9)
        torch.testing.assert_close(placed.norm(dim=1), torch.ones(4))
    seen = torch.randn(1, 5)
    torch.testing.assert_close(space.place_image(3 * seen), space.place_image(seen))
    space.image.bias.fill_(0.5)
    assert not torch.allclose(space.place_image(3 * seen), space.place_image(seen))


@torch.no_grad()
def test_first_weights_are_normal_with_the_deviation_of_the_official_code() -> None:
    space = vs.Space(300, 200, 400)
    for side, inputs in ((space.image, 300), (space.sentence, 200)):
        deviation = (6 / (inputs + 400)) ** 0.5
        assert float(side.weight.std()) == pytest.approx(deviation, rel=0.02)
        assert float(side.weight.abs().max()) > 3 * deviation, "not uniform"
        assert not side.bias.any()


def test_official_names_lead_to_ours_and_the_number_of_a_device_nowhere() -> None:
    space = vs.Space(5, 6, 9)
    official = {
        "device_id": torch.zeros(1, dtype=torch.int32),
        "linear_img.weight": torch.ones(9, 5),
        "linear_img.bias": torch.ones(9),
        "linear_sent.weight": torch.ones(9, 6),
        "linear_sent.bias": torch.ones(9),
    }
    renames.load(space, renames.rename(official, vs.RENAMES["space"]))
    assert all(bool((each == 1).all()) for each in space.parameters())


def test_the_trunk_loads_under_the_names_of_its_port_and_under_their_places() -> None:
    table = vs.RENAMES["image"]
    for port, place in (("mixed_5b", 7), ("repeat_1", 10), ("block8", 13), ("conv2d_7b", 14)):
        name = "0.branch1.2.conv.weight"
        assert renames.new_name(f"{port}.{name}", table) == f"{port}.{name}"
        assert renames.new_name(f"encoder.{place}.{name}", table) == f"{port}.{name}"
    for useless in ("classif.weight", "last_linear.bias", "device_id"):
        assert renames.new_name(useless, table) == ""


@pytest.mark.parametrize("image", ["inceptionresnet", "inception"])
def test_trunks_refuse_another_size_than_their_own(image: vs.Image) -> None:
    with pytest.raises(UsageError, match=f"{image} sees pictures of 299 px, not 64") as caught:
        vs.trunk(replace(SMALL, image=image, image_px=64))
    assert "image_px=299" in caught.value.hint


@pytest.mark.parametrize("px", [16, 32, 57])
@torch.no_grad()
def test_pictures_of_any_size_are_placed_alike_alone_and_in_company(px: int) -> None:
    networks = {name: each.eval() for name, each in vs.networks(SMALL).items()}
    trunk, space, pictures = networks["image"], networks["space"], torch.randn(3, 3, px, px)
    assert isinstance(space, vs.Space)
    together, alone = (space.place_image(trunk(each)[1]) for each in (pictures, pictures[1:2]))
    torch.testing.assert_close(alone, together[1:2])
