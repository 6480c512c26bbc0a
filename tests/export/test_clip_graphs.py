"""CLIP's graphs: any picture in, and what comes out is PyTorch's, with either image encoder."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from golden import cases
from torch import nn

from t2i.export import clip
from t2i.export.check import compare, start
from t2i.export.plan import Host, Output, Plan
from t2i.export.precision import SMALL, TOLERANCES, convert
from t2i.export.trace import trace
from t2i.export.trained import Trained
from t2i.models import clip as networks
from t2i.runtime.bytepairs import byte_pair_tokenizer
from t2i.runtime.runs import TextSettings

VIT = networks.Settings(
    vocabulary=514,
    length=9,
    embed_size=12,
    image_px=32,
    image_layers=1,
    image_width=64,
    patch_px=16,
    text_width=64,
    text_layers=1,
)
RESNET = replace(VIT, image_layers=(1, 1, 1, 1), image_width=8)


def trained(sizes: networks.Settings) -> Trained:
    torch.manual_seed(0)
    network = networks.Clip(sizes).eval().requires_grad_(requires_grad=False)
    recipe = SimpleNamespace(text=TextSettings(sizes.length, "keep"), facing=None)
    run: Any = SimpleNamespace(recipe=recipe)
    return Trained(run, sizes, {"clip": network}, byte_pair_tokenizer([]))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [VIT, RESNET])
def test_graphs_of_either_encoder_compute_what_pytorch_computes(sizes: networks.Settings) -> None:
    plans = clip.plans(trained(sizes))
    graphs = {plan.role: trace(plan) for plan in plans}
    assert compare(plans, graphs, "fp32").gap <= 1e-4


@pytest.mark.slow
def test_int8_is_a_little_off_whoever_the_neighbours_are() -> None:
    plans = clip.plans(trained(VIT))
    traced = {plan.role: trace(plan) for plan in plans}
    graphs = {role: convert(model, "int8", role, SMALL[0]) for role, model in traced.items()}
    assert 0 < compare(plans, graphs, "int8").gap <= TOLERANCES["int8"]
    for plan in plans:
        given = next(iter(plan.examples(5, "full").values())).numpy()
        session = start(graphs[plan.role])
        feed = session.get_inputs()[0].name
        (together,) = session.run(None, {feed: given})
        for row, alone in enumerate(given):
            assert np.allclose(session.run(None, {feed: alone[None]})[0], together[row], atol=1e-5)


def test_the_scale_that_was_learnt_is_told() -> None:
    made = trained(VIT)
    network: Any = made.networks["clip"]
    network.logit_scale.fill_(math.log(42))
    host = clip.host(made)
    assert isinstance(host, Host)
    assert host.logit_scale == pytest.approx(42)
    assert (host.image_px, host.noise, host.condition) == (32, (), "caption")


def pixels_plan() -> Plan:
    """A graph that ends where the encoder would begin."""
    _, image = clip.plans(trained(VIT))
    outputs = tuple(replace(each, name="pixels") for each in image.outputs)
    preprocess = nn.Sequential(networks.Preprocess(VIT.image_px), nn.Identity())
    return replace(image, module=Output(preprocess), outputs=outputs)


@pytest.mark.slow
def test_the_graph_prepares_pictures_of_any_size_as_pillow_does() -> None:
    """But for one level in one value of a thousand."""
    session = start(trace(pixels_plan()), threads=1)
    preprocess = networks.Preprocess(VIT.image_px)
    dice = np.random.default_rng(0)
    for height, width in ((32, 32), (61, 90), (90, 61), (300, 41), (20, 23), (5, 5), (1, 3)):
        pixels = dice.integers(0, 256, (1, height, width, 3), np.uint8)
        (found,) = session.run(None, {"image": pixels})
        wanted = preprocess(torch.from_numpy(pixels)).numpy()
        gap = np.abs(found - wanted) * 255 * np.reshape(networks.SPREAD, (3, 1, 1))
        assert found.shape == (1, 3, 32, 32)
        assert gap.max() < 1.01, (height, width)
        assert (gap > 0.01).mean() < 2e-3, (height, width)
    for case in cases("clip"):
        if case.name in ("preprocess_landscape", "preprocess_portrait_up"):
            given = case.inputs()["image"].astype(np.uint8)
            case.check({"pixels": session.run(None, {"image": given[None]})[0][0]}, atol=0.016)
