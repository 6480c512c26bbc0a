"""HDGAN's networks: the official layers under their official names, and at any size."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from networks import parameters

from t2i.models import hdgan, renames
from t2i.runtime.errors import UsageError

PAPER = hdgan.Settings(vocabulary=71)
LARGE = replace(PAPER, drawn_px=(64, 128, 256, 512), enlarged=True)
TOY = hdgan.Settings(
    vocabulary=71,
    text_size=6,
    condition_size=5,
    noise_size=4,
    generator_width=4,
    drawn_px=(16, 32),
    critic_width=8,
    code_size=7,
    pieces_px=32,
)
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def test_paper_sizes_have_as_many_parameters_as_the_official_networks() -> None:
    """Counted in the official `Generator`, `Discriminator` and `GeneratorSuperL1Loss`."""
    with torch.device("meta"):
        assert parameters(hdgan.Generator(PAPER)) == 41_378_496
        assert parameters(hdgan.critics(PAPER)) == 25_693_606
        assert parameters(hdgan.Generator(LARGE)) == 41_545_824


def normed(convolution: str, norm: str) -> Iterator[str]:
    """A convolution without bias, and its batch norm."""
    yield f"{convolution}.weight"
    yield from (f"{norm}.{each}" for each in NORM)


def residual(name: str) -> Iterator[str]:
    for half in (0, 1):
        yield from normed(f"{name}.res_block.{half}.1", f"{name}.res_block.{half}.2")


def affine(name: str) -> Iterator[str]:
    yield from (f"{name}.weight", f"{name}.bias")


def official_stream() -> Iterator[str]:
    yield from affine("condEmbedding.linear")
    yield from affine("vec_to_tensor.out.0")
    yield from (f"vec_to_tensor.out.1.{each}" for each in NORM)
    yield from residual("scale_4.0")
    for px in (8, 32, 128, 256):
        yield from normed(f"scale_{px}.1.1", f"scale_{px}.1.2")
        yield from residual(f"scale_{px}.2")
    for px in (16, 64):
        yield from residual(f"scale_{px}.1")
    yield from (f"tensor_to_img_{px}.1.weight" for px in (64, 128, 256))


def official_enlarged() -> Iterator[str]:
    yield from (f"module.generator_256.{name}" for name in official_stream())
    for place in (0, 1):
        yield from residual(f"module.scale_512.{place}")
    yield from normed("module.scale_512.3.1", "module.scale_512.3.2")
    yield "module.tensor_to_img_512.1.weight"


def official_critics() -> Iterator[str]:
    for px, layers in ((64, 4), (128, 5), (256, 5)):
        yield f"img_encoder_{px}.node.0.0.weight"
        for place in range(1, layers):
            yield from normed(
                f"img_encoder_{px}.node.{place}.0", f"img_encoder_{px}.node.{place}.1"
            )
        yield from normed(f"pair_disc_{px}.node.0.0", f"pair_disc_{px}.node.0.1")
        for name in ("pair_disc_{}.node.1", "local_img_disc_{}", "context_emb_pipe_{}.0"):
            yield from affine(name.format(px))
    yield from normed("pre_encode.0", "pre_encode.1")


@pytest.mark.parametrize("kind", ["stream", "enlarged", "critics"])
def test_every_official_name_is_one_of_ours_and_every_one_of_ours_is_official(kind: str) -> None:
    with torch.device("meta"):
        official, part, network = {
            "stream": (official_stream(), "generator", hdgan.Generator(PAPER)),
            "enlarged": (official_enlarged(), "generator", hdgan.Generator(LARGE)),
            "critics": (official_critics(), "critic", hdgan.critics(PAPER)),
        }[kind]
    ours = [renames.new_name(name, hdgan.RENAMES[part]) for name in official]
    assert sorted(map(str, ours)) == sorted(network.state_dict())


def test_channels_are_halved_at_8_32_128_and_256_px() -> None:
    with torch.device("meta"):
        generator = hdgan.Generator(PAPER)
        hidden, channels = torch.empty(2, 1024, 4, 4), []
        for grow in generator.grow:
            hidden = grow(hidden)
            channels.append((hidden.shape[2], hidden.shape[1]))
    assert dict(channels) == {4: 1024, 8: 512, 16: 512, 32: 256, 64: 256, 128: 128, 256: 64}


def test_verdicts_on_pieces_are_one_one_and_five_by_five() -> None:
    with torch.device("meta"):
        for px, side in ((64, 1), (128, 1), (256, 5)):
            critic = hdgan.Critic(PAPER, px)
            seen = critic.features(torch.empty(2, 3, px, px))
            assert critic.local(seen).shape == (2, 1, side, side)
            assert critic.pair(seen, torch.empty(2, 1024)).shape == (2,)


@pytest.mark.parametrize("drawn", [(16,), (32,), (16, 32, 64), (64, 128), (16, 32, 64, 128)])
@torch.no_grad()
def test_any_sizes_are_drawn_and_judged_alike_alone_and_in_company(drawn: tuple[int, ...]) -> None:
    settings = replace(TOY, drawn_px=drawn, pieces_px=drawn[-1])
    generator, critics = hdgan.Generator(settings).eval(), hdgan.critics(settings).eval()
    noise, detail, sentence = torch.randn(3, 4), torch.randn(3, 5), torch.randn(3, 6)
    images = generator(noise, detail, sentence).images
    alone = generator(noise[1:2], detail[1:2], sentence[1:2]).images
    assert len(critics) == len(drawn)
    for px, image, other in zip(drawn, images, alone, strict=True):
        assert image.shape == (3, 3, px, px)
        assert image.abs().max() <= 1
        torch.testing.assert_close(other, image[1:2])
        critic = critics[str(px)]
        assert isinstance(critic, hdgan.Critic)
        scores = critic.pair(critic.features(image), sentence)
        torch.testing.assert_close(
            critic.pair(critic.features(image[1:2]), sentence[1:2]), scores[1:2]
        )


@torch.no_grad()
def test_the_condition_lies_as_far_from_its_mean_as_the_deviation_says() -> None:
    condition = hdgan.Condition(6, 5)
    sentence = torch.randn(3, 6)
    likely, mean, log_sigma = condition(sentence, torch.zeros(3, 5))
    torch.testing.assert_close(likely, mean)
    further, _, _ = condition(sentence, torch.ones(3, 5))
    torch.testing.assert_close((further - mean).log(), log_sigma, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_enlarging_leaves_the_smaller_pictures_as_they_are() -> None:
    plain = hdgan.Generator(TOY).eval()
    larger = hdgan.Generator(replace(TOY, drawn_px=(16, 32, 64), enlarged=True)).eval()
    larger.load_state_dict(plain.state_dict(), strict=False)
    draws = torch.randn(2, 4), torch.randn(2, 5), torch.randn(2, 6)
    *smaller, last = larger(*draws).images
    for image, same in zip(smaller, plain(*draws).images, strict=True):
        assert torch.equal(image, same)
    assert last.shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drawn_px": (8, 16)}, "8 px"),
        ({"drawn_px": (16, 48)}, "48 px"),
        ({"drawn_px": (16, 64), "enlarged": True}, "twice"),
        ({"drawn_px": (64,), "enlarged": True}, "twice"),
    ],
)
def test_sizes_that_cannot_be_drawn_are_refused(change: dict[str, object], message: str) -> None:
    settings = replace(TOY, **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message) as caught:
        hdgan.Generator(settings)
    assert caught.value.hint
