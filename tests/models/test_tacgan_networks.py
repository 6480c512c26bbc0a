"""TAC-GAN's layers are those of the official code, with TensorFlow's padding and norms."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from t2i.models import charcnnrnn, damsm, tacgan
from t2i.runtime.errors import UsageError

PAPER = tacgan.Settings(reader=tacgan.Vectors(), classes=102)
TOY = tacgan.Settings(
    reader=tacgan.Vectors(6),
    classes=3,
    condition_size=5,
    noise_size=4,
    generator_width=4,
    critic_width=4,
    image_px=32,
)

# Variables of the official graph at t_dim 100, shapes as TensorFlow has them.
GENERATOR = {
    "g_embedding.Matrix": (4800, 100),
    "g_embedding.bias": (100,),
    "g_h0_lin.Matrix": (200, 512 * 8 * 8),
    "g_h0_lin.bias": (512 * 8 * 8,),
    "g_h1.w": (5, 5, 256, 512),
    "g_h1.biases": (256,),
    "g_h2.w": (5, 5, 128, 256),
    "g_h2.biases": (128,),
    "g_h3.w": (5, 5, 64, 128),
    "g_h3.biases": (64,),
    "g_h4.w": (5, 5, 3, 64),
    "g_h4.biases": (3,),
    **{
        f"g_bn{i}.{variable}": (width,)
        for i, width in enumerate((512, 256, 128, 64))
        for variable in ("beta", "moving_mean", "moving_variance")
    },
}
CRITIC = {
    "d_h0_conv.w": (5, 5, 3, 64),
    "d_h0_conv.biases": (64,),
    "d_h1_conv.w": (5, 5, 64, 128),
    "d_h1_conv.biases": (128,),
    "d_h2_conv.w": (5, 5, 128, 256),
    "d_h2_conv.biases": (256,),
    "d_h3_conv.w": (5, 5, 256, 512),
    "d_h3_conv.biases": (512,),
    "d_embedding.Matrix": (4800, 100),
    "d_embedding.bias": (100,),
    "d_h3_conv_new.w": (1, 1, 612, 512),
    "d_h3_conv_new.biases": (512,),
    "d_h4_lin_rw.Matrix": (512 * 8 * 8, 1),
    "d_h4_lin_rw.bias": (1,),
    "d_h4_lin_ac.Matrix": (512 * 8 * 8, 102),
    "d_h4_lin_ac.bias": (102,),
    **{
        f"d_bn{i}.{variable}": (width,)
        for i, width in enumerate((128, 256, 512, 512), start=1)
        for variable in ("beta", "moving_mean", "moving_variance")
    },
}


@pytest.mark.parametrize(("player", "official"), [("generator", GENERATOR), ("critic", CRITIC)])
def test_the_papers_sizes_have_the_variables_of_the_official_graph(
    player: str, official: dict[str, tuple[int, ...]]
) -> None:
    with torch.device("meta"):
        network = {"generator": tacgan.Generator, "critic": tacgan.Critic}[player](PAPER)
    state = {
        name: value.shape
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    renamed = {tacgan.RENAMES[player][name]: shape for name, shape in official.items()}
    assert renamed.keys() == state.keys()
    for name, shape in renamed.items():
        # The same sides, in another order: all sides of a layer but the spatial ones differ.
        assert sorted(shape) == sorted(state[name]), name


def test_the_papers_layers_stand_in_the_papers_order() -> None:
    with torch.device("meta"):
        generator, critic = tacgan.Generator(PAPER), tacgan.Critic(PAPER)
        image = generator(torch.empty(2, 100), torch.empty(2, 4800))
        verdict = critic(image, torch.empty(2, 4800))
    assert image.shape == (2, 3, 128, 128)
    assert (verdict.real.shape, verdict.classes.shape) == ((2,), (2, 102))
    grown = [type(each).__name__ for each in generator.grow]
    assert grown == ["Norm", "ReLU", *["Doubling", "Norm", "ReLU"] * 3, "Doubling", "Tanh"]
    looked = [type(each).__name__ for each in critic.look]
    assert looked == ["Halving", "LeakyReLU", *["Halving", "Norm", "LeakyReLU"] * 3]
    assert [type(each).__name__ for each in critic.join] == ["Conv2d", "Norm", "LeakyReLU"]


@torch.no_grad()
def test_halving_pads_as_tensorflow_does_and_doubling_is_its_adjoint() -> None:
    """Of 4 missing pixels, less the stride, SAME puts the smaller half before."""
    halve = tacgan.Halving(1, 1)
    nn.init.zeros_(halve.bias)
    nn.init.zeros_(halve.weight)
    halve.weight[..., 0, 0] = 1.0  # sees one pixel above and to the left of where it stands
    picture = torch.arange(64.0).view(1, 1, 8, 8)
    wanted = F.pad(picture, (1, 0, 1, 0))[:, :, :8:2, :8:2]
    assert torch.equal(halve(picture), wanted)

    double = tacgan.Doubling(1, 1)
    nn.init.normal_(halve.weight)
    double.weight.copy_(halve.weight)
    nn.init.zeros_(double.bias)
    small = torch.randn(1, 1, 4, 4)
    forth, back = (halve(picture) * small).sum(), (picture * double(small)).sum()
    torch.testing.assert_close(forth, back, rtol=1e-4, atol=1e-3)


@torch.no_grad()
def test_the_critic_sees_pictures_from_0_to_1() -> None:
    critic = tacgan.Critic(TOY).eval()
    black, sentence = torch.full((1, 3, 32, 32), -1.0), torch.randn(1, 6)
    first = critic.look[0]
    seen: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    critic(black, sentence)
    critic(-black, sentence)
    assert [(float(each.min()), float(each.max())) for each in seen] == [(0, 0), (1, 1)]


@pytest.mark.parametrize("px", [16, 32, 48, 64])
@torch.no_grad()
def test_any_size_is_drawn_and_judged_alike_alone_and_in_company(px: int) -> None:
    settings = replace(TOY, image_px=px)
    generator, critic = tacgan.Generator(settings).eval(), tacgan.Critic(settings).eval()
    noise, sentence = torch.randn(3, 4), torch.randn(3, 6)
    images = generator(noise, sentence)
    assert images.shape == (3, 3, px, px)
    torch.testing.assert_close(generator(noise[1:2], sentence[1:2]), images[1:2])
    verdict, alone = critic(images, sentence), critic(images[1:2], sentence[1:2])
    torch.testing.assert_close(alone.real, verdict.real[1:2])
    torch.testing.assert_close(alone.classes, verdict.classes[1:2])


@pytest.mark.parametrize("px", [0, 8, 40, 100])
def test_sizes_that_cannot_be_drawn_are_refused(px: int) -> None:
    with pytest.raises(UsageError, match=f"{px} px") as caught:
        replace(TOY, image_px=px)
    assert "multiple of 16" in caught.value.hint


def test_one_class_is_nothing_to_tell_apart() -> None:
    with pytest.raises(UsageError, match="1 classes"):
        replace(TOY, classes=1)


def test_an_encoder_is_carried_along_where_there_is_one() -> None:
    spelling = charcnnrnn.Settings(vocabulary=71, text_size=6)
    words = damsm.Settings(vocabulary=9, text_size=6)
    with torch.device("meta"):
        kinds = {
            each: tacgan.networks(replace(TOY, reader=each))
            for each in (TOY.reader, spelling, words)
        }
    assert set(kinds[TOY.reader]) == {"generator"}
    assert isinstance(kinds[spelling]["text"], charcnnrnn.TextEncoder)
    assert isinstance(kinds[words]["text"], damsm.TextEncoder)
    for reader, vocabulary in ((TOY.reader, None), (spelling, 71), (words, 9)):
        settings = replace(TOY, reader=reader)
        assert (settings.vocabulary, settings.text_size) == (vocabulary, 6)


def test_weights_begin_as_in_the_official_code() -> None:
    """Xavier's bound is √(6 / (inputs + outputs)), a convolution's counted by their places."""
    network = nn.ModuleList([tacgan.Generator(TOY), tacgan.Critic(TOY)])
    tacgan.initialise(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            places = module.weight[0, 0].numel()
            bound = (6 / places / sum(module.weight.shape[:2])) ** 0.5
            greatest = float(module.weight.detach().abs().max())
            assert 0.6 * bound < greatest <= bound
            assert not module.bias.any()
