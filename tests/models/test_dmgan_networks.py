"""DM-GAN's networks: their official sizes and names, and what the memory does by its formulas."""

from dataclasses import replace

import pytest
import torch
from attentive import TINY, check_captions_draw_alike, check_weights_are_orthogonal, evaluated
from torch import Tensor, nn

from t2i.models import attngan, dmgan, renames
from t2i.models.blocks.spectral import SpectralConv2d

CUB = dmgan.Settings(vocabulary=5450)
COCO = replace(CUB, vocabulary=27297, residuals=3)
TOY = dmgan.Settings(**TINY)


def parameters(network: nn.Module) -> int:
    """Official singular vectors are parameters, ours are buffers; both count."""
    return sum(each.numel() for each in (*network.parameters(), *network.buffers()))


@pytest.mark.parametrize(("settings", "wanted"), [(CUB, 21_449_042), (COCO, 22_335_314)])
def test_papers_sizes_have_the_official_number_of_parameters(
    settings: dmgan.Settings, wanted: int
) -> None:
    with torch.device("meta"):
        generator = dmgan.Generator(settings)
        critics = dmgan.critics(settings)
    assert sum(each.numel() for each in generator.parameters()) == wanted
    assert [parameters(each) for each in critics] == [1_887_218, 5_174_258, 18_301_938]


STAGE = {
    "A.weight": (1, 256),
    "B.weight": (1, 64),
    "M_r.0.weight": (128, 64, 1),
    "M_r.0.bias": (128,),
    "M_w.0.weight": (128, 256, 1),
    "M_w.0.bias": (128,),
    "key.0.weight": (64, 128, 1),
    "key.0.bias": (64,),
    "value.0.weight": (64, 128, 1),
    "value.0.bias": (64,),
    "response_gate.0.weight": (1, 128, 1, 1),
    "response_gate.0.bias": (1,),
    "residual.1.block.0.weight": (256, 128, 3, 3),
    "upsample.1.weight": (128, 128, 3, 3),
}


@pytest.mark.parametrize("stage", ["h_net2", "h_net3"])
def test_official_names_of_the_memory_lead_to_weights_of_their_shape(stage: str) -> None:
    with torch.device("meta"):
        own = dmgan.Generator(CUB).state_dict()
    for name, shape in STAGE.items():
        ours = renames.new_name(f"{stage}.{name}", dmgan.RENAMES["generator"])
        assert ours is not None
        assert tuple(own[ours].shape) == shape, name


@pytest.mark.parametrize(
    ("number", "layers"),
    [
        (0, {"img_code_s16.0": (32, 3, 4, 4), "img_code_s16.6": (256, 128, 4, 4)}),
        (1, {"img_code_s32.0": (512, 256, 4, 4), "img_code_s32_1.0": (256, 512, 3, 3)}),
        (2, {"img_code_s64.0": (1024, 512, 4, 4), "img_code_s64_2.0": (256, 512, 3, 3)}),
    ],
)
def test_official_names_of_the_critics_lead_to_weights_of_their_shape(
    number: int, layers: dict[str, tuple[int, ...]]
) -> None:
    with torch.device("meta"):
        own = dmgan.critics(CUB)[number].state_dict()
    for name, shape in {**layers, "COND_DNET.jointConv.0": (256, 512, 3, 3)}.items():
        rest = shape[1] * shape[2] * shape[3]
        kept = {"weight_bar": shape, "bias": shape[:1], "weight_u": shape[:1], "weight_v": (rest,)}
        for official, wanted in kept.items():
            ours = renames.new_name(f"{name}.module.{official}", dmgan.RENAMES["critic"])
            assert ours is not None
            assert tuple(own[ours].shape) == wanted, f"{name}.{official}"


def rectified(layer: nn.Module, vector: Tensor) -> Tensor:
    """One place of T by itself."""
    conv = layer[0]  # type: ignore[index]
    return (conv.weight[:, :, 0] @ vector + conv.bias).clamp(min=0)


@torch.no_grad()
def test_the_memory_is_written_and_read_as_the_formulas_say() -> None:
    """Slot by slot and place by place, as the paper writes it."""
    stage = dmgan.RefiningStage(TOY)
    write, memory, respond = stage.write, stage.memory, stage.respond
    assert isinstance(write, dmgan.GatedWriting)
    assert isinstance(respond, dmgan.GatedResponse)
    hidden, words = torch.randn(1, 4, 2, 3), torch.randn(1, 16, 3)
    known, seen = torch.tensor([True, True, False]), hidden[0].mean(dim=(1, 2))

    slots = []
    for word in words[0].T:
        gate = torch.sigmoid(write.gate_word.weight @ word + write.gate_picture.weight @ seen)
        slots.append(
            gate * rectified(write.word, word) + (1 - gate) * rectified(write.picture, seen)
        )
    response = torch.zeros(1, 8, 2, 3)
    for y in range(2):
        for x in range(3):
            place = hidden[0, :, y, x]
            fit = torch.stack([rectified(memory.key, slot) @ place for slot in slots])[known]
            values = torch.stack([rectified(memory.value, slot) for slot in slots])[known]
            read = fit.softmax(dim=0) @ values
            gate = torch.sigmoid(
                respond.gate.weight[0, :, 0, 0] @ torch.cat([place, read]) + respond.gate.bias
            )
            response[0, :, y, x] = (gate * read + (1 - gate) * place).repeat(2)

    written = write(hidden, words)
    torch.testing.assert_close(written, torch.stack(slots, dim=1)[None])
    got, addressing = memory(hidden, written, known[None, None])
    torch.testing.assert_close(respond(hidden, got), response)
    torch.testing.assert_close(addressing.sum(dim=1), torch.ones(1, 2, 3))
    assert not addressing[0, 2].any()


def test_what_is_written_of_the_picture_sends_no_gradient_back() -> None:
    hidden, words = (torch.randn(2, 4, 3, 3, requires_grad=True), torch.randn(2, 16, 3))
    dmgan.GatedWriting(4, 16, 8)(hidden, words.requires_grad_()).sum().backward()
    assert hidden.grad is None
    assert words.grad is not None


@torch.no_grad()
def test_without_its_gate_the_memory_holds_the_words_alone() -> None:
    plain = dmgan.RefiningStage(replace(TOY, writing_gate=False, response_gate=False))
    words = torch.randn(2, 16, 3)
    one, other = (plain.write(torch.randn(2, 4, 8, 8), words) for _ in range(2))
    assert torch.equal(one, other)
    gated = dmgan.RefiningStage(TOY).write
    one, other = (gated(torch.randn(2, 4, 8, 8), words) for _ in range(2))
    assert not torch.allclose(one, other)
    drawn, addressing = plain(torch.randn(2, 4, 8, 8), words, torch.ones(2, 1, 3) > 0)
    assert (tuple(drawn.shape), tuple(addressing.shape)) == ((2, 4, 16, 16), (2, 3, 8, 8))
    assert not any("gate" in name for name, _ in plain.named_parameters())


@pytest.mark.parametrize("px", [8, 16, 32, 64, 128])
def test_critics_normalise_weights_and_no_batches(px: int) -> None:
    critic = dmgan.Critic(2, px, text_size=6)
    assert not [each for each in critic.modules() if isinstance(each, nn.BatchNorm2d)]
    plain = [
        name
        for name, each in critic.named_modules()
        if isinstance(each, nn.Conv2d) and not isinstance(each, SpectralConv2d)
    ]
    assert plain == ["beside.head.logit", "alone.logit"]
    features = critic.features(torch.randn(2, 3, px, px))
    assert features.shape == (2, 16, 4, 4)
    assert critic.conditional(features, torch.randn(2, 6)).shape == (2,)


def test_networks_begin_as_the_official_code_lets_them() -> None:
    networks = nn.ModuleList([dmgan.Generator(TOY), *dmgan.critics(TOY)])
    attngan.initialise(networks)
    check_weights_are_orthogonal(networks)


def test_a_caption_draws_alike_alone_in_company_and_padded() -> None:
    check_captions_draw_alike(evaluated(dmgan, TOY))
