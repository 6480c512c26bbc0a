"""Properties of MirrorGAN's networks that no golden number shows."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from t2i.models import attngan, mirrorgan, stream

CUB = mirrorgan.Settings(vocabulary=5453)
COCO = replace(CUB, generator_width=48, critic_width=96, residuals=3)
TOY = mirrorgan.Settings(
    vocabulary=20,
    embedding=8,
    text_size=16,
    condition_size=5,
    noise_size=6,
    generator_width=4,
    critic_width=4,
    residuals=1,
    first_px=8,
)
TOKENS = torch.tensor([[3, 9, 4, 1, 7, 2], [5, 6, 0, 0, 0, 0], [8, 2, 2, 11, 0, 0]])


def parameters(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


@torch.no_grad()
def draw(networks: dict[str, nn.Module], tokens: Tensor) -> attngan.Drawn:
    made = torch.Generator().manual_seed(3)
    noise, detail = (torch.randn(8, size, generator=made)[: len(tokens)] for size in (6, 5))
    return networks["generator"](noise, detail, *networks["text"](tokens))


def toy(settings: mirrorgan.Settings = TOY) -> dict[str, nn.Module]:
    return {prefix: each.eval() for prefix, each in mirrorgan.networks(settings).items()}


@pytest.mark.parametrize(
    ("settings", "generator", "critics"),
    [
        (CUB, 7_105_392, [6_313_730, 19_424_002, 71_858_946]),
        (COCO, 13_853_408, [13_304_450, 42_800_258, 160_774_274]),
    ],
)
def test_papers_sizes_have_the_official_number_of_parameters(
    settings: mirrorgan.Settings, generator: int, critics: list[int]
) -> None:
    with torch.device("meta"):
        assert parameters(mirrorgan.Generator(settings)) == generator
        assert [parameters(critic) for critic in mirrorgan.critics(settings)] == critics


def test_a_caption_draws_alike_alone_in_company_and_padded() -> None:
    networks = toy()
    together = draw(networks, TOKENS)
    padded = draw(networks, nn.functional.pad(TOKENS, (0, 5)))
    alone = draw(networks, TOKENS[:1])
    for image, long, single in zip(together.images, padded.images, alone.images, strict=True):
        torch.testing.assert_close(long, image)
        torch.testing.assert_close(single, image[:1])
    assert [each.shape[-1] for each in together.images] == [8, 16, 32]
    assert [tuple(each.shape) for each in together.attentions] == [(3, 6, 8, 8), (3, 6, 16, 16)]


def test_the_sentence_is_shared_out_among_the_channels_of_a_place() -> None:
    attention = mirrorgan.SentenceAttention(4, 5)
    hidden, condition = torch.randn(2, 4, 3, 7), torch.randn(2, 5)
    shares = attention(hidden, condition) / attention.project(condition)[:, :, None, None]
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 3, 7))
    assert bool((shares > 0).all())


def test_later_stages_look_at_the_sentence_and_at_each_word() -> None:
    stage = mirrorgan.RefiningStage(TOY)
    given = [torch.randn(2, 4, 8, 8), torch.randn(2, 5), torch.randn(2, 16, 3)]
    for each in given:
        each.requires_grad_()
    drawn, _ = stage(*given, torch.ones(2, 1, 3, dtype=torch.bool))
    drawn.square().sum().backward()
    for each in given:
        assert each.grad is not None
        assert bool(each.grad.flatten(2 if each.ndim > 2 else 1).abs().sum(-1).all())


def test_a_captioner_goes_with_the_generator_where_there_is_one() -> None:
    sizes = stream.Settings(vocabulary=20, image="small", image_px=16, image_width=2)
    assert set(toy()) == {"text", "generator"}
    assert set(toy(replace(TOY, stream=sizes))) == {"text", "generator", "image", "caption"}
