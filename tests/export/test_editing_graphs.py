"""The graphs by which CI-GAN edits pictures: their gradient is PyTorch's, and so are its steps."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from bundles import add_editing, write_tiny_bundle
from commands import differ
from torch import Tensor, nn
from untrained import unsettle

from t2i.export import editing
from t2i.export.check import arrays, compare, start
from t2i.export.gradient import traced
from t2i.export.plan import Captions, Plan
from t2i.export.trace import trace
from t2i.export.trained import Trained
from t2i.models import cigan, judge
from t2i.models.blocks.resizing import resized
from t2i.runtime.draw import load
from t2i.runtime.editor import RATE, Editor
from t2i.runtime.pictures import to_pixels, to_planes

SEEN = judge.Settings(attributes=(3, 2), trunk="plain", width=4, features=6, px=24)
SIZES = cigan.Settings(
    vocabulary=9,
    embedding=4,
    recurrent_size=4,
    style_size=6,
    mapping_layers=2,
    widths=(6, 5, 4),
    eye=SEEN,
    likeness=0.7,
    pixels=3.0,
    stay=0.2,
)


def plans_of(sizes: cigan.Settings) -> tuple[Trained, tuple[Plan, Plan]]:
    torch.manual_seed(0)
    networks = cigan.networks(sizes)
    for network in networks.values():
        unsettle(network).requires_grad_(requires_grad=False)
    run: Any = SimpleNamespace()
    trained = Trained(run, sizes, networks, b"")

    def sentences(batch: int, kind: Captions) -> Tensor:
        return torch.randn(batch, 6, generator=torch.Generator().manual_seed(batch))

    return trained, editing.both_plans(trained, sentences)


def slope_by_hand(trained: Trained, given: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Loss and slope by the networks as they were trained, going back through them."""
    generator: Any = trained.networks["generator"]
    eye: Any = trained.networks["eye"]
    latent = given["latent"].clone().requires_grad_()
    image = generator(generator.spread(latent), torch.zeros(len(latent), SIZES.grain_size))
    with torch.no_grad():
        wanted = eye.maps(resized(given["picture"], SEEN.px))
    found = eye.maps(resized(image, SEEN.px))
    loss = torch.zeros(())
    for row, strength in enumerate(given["strength"]):
        held = sum(0.7 * F.mse_loss(a[row], b[row]) for a, b in zip(found, wanted, strict=True))
        held += 3.0 * F.mse_loss(image[row], given["picture"][row])
        held += 0.2 * F.mse_loss(latent[row], given["start"][row])
        caption = F.mse_loss(latent[row], given["sentence"][row])
        loss = loss + (strength * caption + (1 - strength) * held) / (1 + 0.7 + 3.0 + 0.2)
    (slope,) = torch.autograd.grad(loss, latent)
    return loss.detach(), slope


@pytest.fixture(scope="module")
def made() -> tuple[Trained, tuple[Plan, Plan], dict[str, onnx.ModelProto]]:
    trained, plans = plans_of(SIZES)
    return trained, plans, {plan.role: trace(plan) for plan in plans}


@pytest.mark.slow
def test_the_graphs_give_what_pytorch_gives_for_any_batch(made: Any) -> None:
    _, plans, graphs = made
    assert compare(plans, graphs, "fp32").gap < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3])
def test_the_slope_is_that_of_going_back_through_the_networks(made: Any, batch: int) -> None:
    trained, (_, step), graphs = made
    given = step.examples(batch, "mixed")
    session = start(graphs["edit"])
    feeds = arrays({each.name: given[each.name] for each in step.inputs})
    found = session.run(["loss", "slope"], dict(feeds))
    loss, slope = slope_by_hand(trained, given)
    assert found[0].sum() == pytest.approx(float(loss), rel=1e-4)
    away = np.linalg.norm(found[1] - slope.numpy()) / np.linalg.norm(slope.numpy())
    assert away < 1e-3


@pytest.mark.slow
def test_steps_without_pytorch_lead_to_the_picture_of_steps_with_it(
    made: Any, tmp_path: Path
) -> None:
    trained, _, graphs = made
    bundle = add_editing(write_tiny_bundle(tmp_path), graphs["image"], graphs["edit"])
    editor = Editor(load(bundle, device="cpu", threads=1))
    told = editor.tell(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
    wish = editor.wish(editor.painter.read("a red bird"))
    *_, moved = editor.move(told, wish, strength=0.4, steps=30)

    latent = torch.from_numpy(told.latent)[None]
    given = {
        "latent": latent,
        "start": latent,
        "sentence": torch.from_numpy(wish.latent)[None],
        "picture": torch.from_numpy(to_planes([told.picture])),
        "strength": torch.tensor([0.4]),
    }
    place, passed = latent.clone().requires_grad_(), []
    adam = torch.optim.Adam([place], lr=RATE)
    for _ in range(31):
        loss, place.grad = slope_by_hand(trained, {**given, "latent": place.detach()})
        passed.append((float(loss), place.detach().clone()))
        adam.step()
    least, best = min(passed, key=lambda each: each[0])
    generator: Any = trained.networks["generator"]
    with torch.no_grad():
        image = generator(generator.spread(best), torch.zeros(1, SIZES.grain_size))
    assert least < 0.9 * passed[0][0]
    np.testing.assert_allclose(moved.losses, [loss for loss, _ in passed], rtol=1e-3)
    assert differ(moved.picture, to_pixels(image.numpy(), "round")[0]) <= 2


def test_what_is_not_weighed_is_not_asked_for() -> None:
    alone = cigan.Settings(
        vocabulary=9, style_size=6, mapping_layers=2, widths=(6, 5, 4), pixels=1.0
    )
    _, (telling, step) = plans_of(alone)
    assert [each.name for each in step.inputs] == ["latent", "sentence", "strength", "picture"]
    assert [each.name for each in telling.outputs] == ["latent"]
    _, (telling, step) = plans_of(SIZES)
    seen = ["seen_1", "seen_2", "seen_3", "seen_4"]
    asked = ["latent", "sentence", "strength", "picture", "start", *seen]
    assert [each.name for each in step.inputs] == asked
    assert [each.name for each in telling.outputs] == ["latent", *seen]


def test_an_eye_sees_what_its_network_sees() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    for trunk in ("plain", "residual"):
        network = unsettle(judge.Judge(judge.Settings((3,), trunk, width=4, px=24)))
        assert isinstance(network, judge.Judge)
        wanted = network.maps(resized(images, 24))
        for map, other in zip(editing.Eye(network, 16)(images), wanted, strict=True):
            torch.testing.assert_close(map, other, atol=1e-5, rtol=1e-4)


class Slope(nn.Module):
    """The gradient of a strided convolution whose last row nothing sees."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution.requires_grad_(requires_grad=False)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.func.grad(lambda each: self.convolution(each).square().sum())(maps)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(4, 6, (3, 2), padding=1, groups=2),
        nn.Conv2d(2, 3, 3),
        nn.Conv2d(2, 3, 2, stride=3, dilation=2),
        nn.ConvTranspose2d(2, 3, 3, stride=2),
    ],
)
def test_the_gradient_of_a_convolution_is_one_the_other_way(convolution: Any) -> None:
    maps = torch.randn(2, int(convolution.in_channels), 8, 10)
    slope = Slope(convolution)
    plain = traced(slope, (maps,))
    assert "convolution_backward" not in plain.code
    torch.testing.assert_close(plain(maps), slope(maps), atol=1e-5, rtol=1e-5)
