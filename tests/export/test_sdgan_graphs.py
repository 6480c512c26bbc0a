"""SD-GAN's norms, folded as far as captions allow, compute what they did before."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from untrained import SIZES

from t2i.export import attngan as base
from t2i.export import sdgan as exporter
from t2i.export.rewrite import MOST_INPUTS
from t2i.models import sdgan
from t2i.models.damsm import EncodedText

TOY = sdgan.Settings(**vars(SIZES), cue_size=6)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def unsettled(network: nn.Module) -> nn.Module:
    """As after training: statistics and cues that are not 0 and 1."""
    for name, each in (*network.named_parameters(), *network.named_buffers()):
        if each.is_floating_point():
            scale = 0.5 / max(1, each[0].numel()) ** 0.5
            nn.init.normal_(each.data, 1.0 if name.endswith("gain") else 0.0, scale)
        if name.endswith("running_var"):
            nn.init.uniform_(each.data, 0.5, 2.0)
    return network.eval()


def text_of(lengths: tuple[int, ...] = (4, 1, 2)) -> EncodedText:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    words = torch.randn(len(lengths), TOY.text_size, max(lengths)) * mask[:, None]
    return EncodedText(torch.randn(len(lengths), TOY.text_size), words, mask)


@torch.no_grad()
@pytest.mark.parametrize("cues", ["none", "sentence", "words", "both"])
@pytest.mark.parametrize("inputs", [6, MOST_INPUTS + 2])
def test_a_layer_that_grows_is_folded_exactly(cues: sdgan.Cues, inputs: int) -> None:
    up = unsettled(sdgan.ConditionedUp(inputs, 4, cues, TOY))
    assert isinstance(up, sdgan.ConditionedUp)
    hidden, text = torch.randn(3, inputs, 5, 7), text_of()
    folded = exporter.FoldedUp(up)
    torch.testing.assert_close(folded(hidden, text), up(hidden, text), atol=2e-5, rtol=1e-4)
    assert not [each for each in folded.modules() if isinstance(each, NORMS)]
    assert folded.conv.apart == (inputs <= MOST_INPUTS)


@torch.no_grad()
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"first_cues": "none", "cues": "none"},
        {"first_cues": "words", "cues": "words"},
        {"single_head": True},
        {"stages": 1},
    ],
)
def test_no_norm_is_left_of_a_generator_which_draws_alike(changes: dict[str, Any]) -> None:
    generator = unsettled(sdgan.Generator(replace(TOY, **changes)))
    drawing = base.Drawing(generator, facing=None)
    given: list[Tensor] = [torch.randn(3, 5), torch.randn(3, 4), *text_of()]
    wanted = drawing(*given)
    faster = exporter.faster(drawing)
    for one, other in zip(faster(*given), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)
    assert not [each for each in faster.modules() if isinstance(each, NORMS)]
    for one, other in zip(drawing(*given), wanted, strict=True):
        assert torch.equal(one, other), "the original is left alone"


def test_of_the_papers_norms_captions_condition_six() -> None:
    """Nine know none and fold whole: one before the first map, two in each of four residuals."""
    with torch.device("meta"):
        generator = sdgan.Generator(sdgan.Settings(vocabulary=5450))
    conditioned = [each for each in generator.modules() if isinstance(each, sdgan.ConditionedNorm)]
    norms = [each for each in generator.modules() if isinstance(each, NORMS)]
    assert (len(norms), len(conditioned)) == (15, 6)
