"""StyleGAN2's graphs: truncation is an input, and grouped convolutions export for any batch."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from t2i.export import stylegan2
from t2i.export.check import arrays, compare, expected, start
from t2i.export.trace import trace
from t2i.export.trained import Trained
from t2i.models import stylegan2 as networks


def trained(*, grouped: bool = False) -> Trained:
    torch.manual_seed(0)
    sizes = networks.Settings(style_size=6, mapping_layers=2, widths=(6, 5, 4), grouped=grouped)
    run: Any = SimpleNamespace()
    found = networks.networks(sizes)
    with torch.no_grad():
        for name, weight in found["generator"].named_parameters():
            if name.endswith("strength"):
                weight.fill_(0.3)
    return Trained(run, sizes, found, b"")


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [False, True])
def test_graphs_draw_what_pytorch_draws_for_any_batch(grouped: bool) -> None:
    plans = stylegan2.plans(trained(grouped=grouped))
    graphs = {plan.role: trace(plan) for plan in plans}
    assert compare(plans, graphs, "fp32").gap < 1e-4
    _, drawing = plans
    examples = drawing.examples(7, "mixed")
    (wanted,) = expected(drawing, examples).values()
    (drawn,) = start(graphs["generator"]).run(["image"], dict(arrays(examples)))
    np.testing.assert_allclose(drawn, wanted, atol=1e-4)


@torch.no_grad()
def test_truncation_leads_from_a_latent_to_the_mean_of_all() -> None:
    mapping, _ = stylegan2.plans(trained())
    noise = torch.randn(2, 6)
    whole, half, none = (
        mapping.module(noise, torch.full((2,), share))[0] for share in (1.0, 0.5, 0.0)
    )
    assert isinstance(mapping.module, stylegan2.Truncated)
    torch.testing.assert_close(whole[:, 3], mapping.module.mapping(noise))
    torch.testing.assert_close(half, (whole + none) / 2)
    torch.testing.assert_close(none[0], none[1])
    many = mapping.module.mapping(torch.randn(4096, 6)).mean(dim=0)
    torch.testing.assert_close(none[0, 0], many, atol=0.1, rtol=0.0)


def test_nothing_but_noise_decides_a_picture() -> None:
    host = stylegan2.host(trained())
    assert (host.condition, host.image_px) == ("none", 16)
    assert [(each.name, each.shape) for each in host.noise] == [
        ("noise", (6,)),
        ("grain", (4**2 + 2 * 8**2 + 2 * 16**2,)),
    ]
