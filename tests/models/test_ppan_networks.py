"""PPAN's networks: the sizes they are said to have, and what lateral connections carry."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from networks import parameters
from torch import nn

from t2i.models import ppan
from t2i.models.encoders.vgg import VggTrunk
from t2i.runtime.errors import UsageError

PAPER = ppan.Settings(vocabulary=71)
TOY = ppan.Settings(
    vocabulary=71,
    text_size=6,
    condition_size=5,
    noise_size=4,
    generator_width=2,
    drawn_px=(16, 32, 64),
    critic_width=8,
    code_size=8,
    pieces_px=64,
    classes=3,
    class_at=(64,),
)


def convolved(inputs: int, outputs: int, kernel: int = 3) -> int:
    """A convolution without bias, and its norm."""
    return kernel**2 * inputs * outputs + 2 * outputs


def drawn_by_hand() -> int:
    """A linear layer each for condition and seed; at each size a convolution and a residual block
    of two; to 128 and 256 px a lateral of one 1 x 1 and two 3 x 3 convolutions, and one to fuse;
    three heads without norms."""
    widths = (1024, 512, 512, 256, 256, 128, 64)  # of 4, 8, 16, 32, 64, 128 and 256 px
    condition = 1024 * 256 + 256
    unfold = 228 * 1024 * 16 + 3 * 1024 * 16
    stream = sum(convolved(a, b) + 2 * convolved(b, b) for a, b in pairwise(widths))
    laterals = sum(convolved(a, b, 1) + 3 * convolved(b, b) for a, b in ((256, 128), (256, 64)))
    return condition + unfold + stream + laterals + sum(27 * width for width in (256, 128, 64))


def judged_by_hand(px: int) -> int:
    """Down to 8 px, the first layer without a norm; 5 x 5 before all verdicts, or at 256 px before
    that on pairs; the sentence squeezed to 128 and joined; two verdicts of 4 x 4; at 256 px the
    classes."""
    down = {
        64: (128, 256, 512),
        128: (64, 128, 256, 512),
        256: (32, 64, 128, 256, 512),
    }[px]
    look = 27 * down[0] + sum(convolved(a, b) for a, b in pairwise(down))
    join = 1024 * 128 + 128 + convolved(512 + 128, 512, 1)
    verdicts = 2 * (16 * 512 + 1)
    classes = 512 * 150 + 150 if px == 256 else 0
    return look + convolved(512, 512, 5) + join + verdicts + classes


def test_the_papers_sizes_have_the_parameters_that_follow() -> None:
    with torch.device("meta"):
        assert parameters(ppan.Generator(PAPER)) == drawn_by_hand()
        for px in PAPER.drawn_px:
            assert parameters(ppan.Critic(PAPER, px)) == judged_by_hand(px)


def test_the_papers_pictures_and_verdicts_have_their_shapes() -> None:
    with torch.device("meta"):
        sentence = torch.empty(2, 1024)
        drawn = ppan.Generator(PAPER)(torch.empty(2, 100), torch.empty(2, 128), sentence)
        assert [each.shape[-1] for each in drawn.images] == [64, 128, 256]
        for image, places in zip(drawn.images, (1, 1, 5), strict=True):
            critic = ppan.Critic(PAPER, image.shape[-1])
            features = critic.features(image)
            assert critic.pair(features, sentence).shape == (2,)
            assert critic.local(features).shape == (2, 1, places, places)
            assert critic.has_classes == (image.shape[-1] == 256)
        assert critic.tell(features).shape == (2, 150)


@torch.no_grad()
def test_pictures_are_drawn_alike_alone_and_in_company() -> None:
    generator = ppan.Generator(TOY).eval()
    given = torch.randn(3, 4), torch.randn(3, 5), torch.randn(3, 6)
    together, alone = generator(*given), generator(*(each[1:2] for each in given))
    for one, several in zip(alone.images, together.images, strict=True):
        torch.testing.assert_close(one, several[1:2])
        assert several.abs().max() <= 1
    calm = generator(given[0], torch.zeros(3, 5), given[2])
    assert torch.equal(calm.mean, together.mean)
    assert (calm.images[0] - together.images[0]).abs().max() > 1e-4


@pytest.mark.parametrize("lateral", [True, False])
def test_a_map_of_a_quarter_of_the_side_joins_each_finer_level(lateral: bool) -> None:
    """With what follows it in the stream silenced, a coarse map still reaches the fine picture."""
    generator = ppan.Generator(replace(TOY, lateral=lateral)).eval()
    with torch.no_grad():
        for weight in generator.grow[2].parameters():  # from 16 to 32 px
            weight.zero_()
    given = torch.randn(2, 4), torch.randn(2, 5), torch.randn(2, 6)
    images = generator(*given).images
    (slope,) = torch.autograd.grad(images[2].sum(), [generator.grow[1][0][1][1].weight])
    assert bool(slope.any()) == lateral
    names = {name.partition(".")[0] for name in generator.state_dict()}
    assert ("lateral" in names) == lateral
    assert names <= set(ppan.RENAMES["generator"].values())


def test_gradients_reach_every_weight() -> None:
    generator = ppan.Generator(TOY)
    critics = nn.ModuleList(ppan.Critic(TOY, px) for px in TOY.drawn_px)
    sentence = torch.randn(4, 6)
    drawn = generator(torch.randn(4, 4), torch.randn(4, 5), sentence)
    total = torch.zeros(())
    for critic, image in zip(critics, drawn.images, strict=True):
        assert isinstance(critic, ppan.Critic)
        features = critic.features(image)
        verdicts = [critic.pair(features, sentence), critic.local(features)]
        verdicts += [critic.tell(features)] if critic.has_classes else []
        total = total + torch.stack([each.square().mean() for each in verdicts]).sum()
    total.backward()
    for network in (generator, critics):
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"class_at": (128,)}, "names 128 px", "16,32,64"),
        ({"classes": 1}, "1 classes", "two classes"),
        ({"drawn_px": (24, 48)}, "24 px", "powers of two"),
    ],
)
def test_settings_that_do_not_fit_are_wrong_usage(
    change: dict[str, object], message: str, hint: str
) -> None:
    for build in (ppan.Generator, lambda settings: ppan.Critic(settings, 64)):
        with pytest.raises(UsageError, match=message) as caught:
            build(replace(TOY, **change))  # type: ignore[arg-type]
        assert hint in caught.value.hint
    replace(TOY, classes=0, class_at=()).check()


# torchvision's vgg16: the places of its convolutions and rectifiers, and what they have.
VGG = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256)}
VGG |= {14: (256, 256)}


def test_vgg_has_torchvisions_names_and_shapes() -> None:
    with torch.device("meta"):
        found = {name: tuple(each.shape) for name, each in VggTrunk().state_dict().items()}
    wanted = {f"features.{n}.weight": (b, a, 3, 3) for n, (a, b) in VGG.items()}
    wanted |= {f"features.{n}.bias": (b,) for n, (_, b) in VGG.items()}
    assert found == wanted


@torch.no_grad()
def test_vgg_gives_rectified_maps_of_levelled_pictures() -> None:
    trunk = VggTrunk()
    seen: list[torch.Tensor] = []
    trunk.features[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    white = torch.ones(2, 3, 32, 32)
    second, third = trunk(white)
    assert (second.shape, third.shape) == ((2, 128, 16, 16), (2, 256, 8, 8))
    assert second.min() >= 0
    assert third.min() >= 0
    level = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(seen[0][0, :, 5, 5], level)
