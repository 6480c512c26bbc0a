"""TAC-GAN in training: what its losses are, who moves how often, and what the critic learns."""

import math
from dataclasses import replace

import pytest
import torch
from lessons import CPU, Lesson
from torch import Tensor

from t2i.models import damsm as matchers
from t2i.models import tacgan as networks
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.recipe import Source
from t2i.train.recipes import charcnnrnn, damsm, tacgan

E, CLASSES, PX = 6, 4, 16
VECTORS = replace(
    tacgan.PRESETS["toy"],
    data=data.Settings(kind="folder", px=(PX,), condition="vector", embeddings="v.npz"),
    generator_width=2,
    critic_width=2,
)
SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""


def recipe() -> tacgan.TacGan:
    torch.manual_seed(0)
    names = tuple("abcdefgh"[:CLASSES])
    source = Source(9, 9, names, 9, attributes=(), facing=None, vector_size=E)
    return tacgan.build(VECTORS, source, {}, CPU)


def batch(labels: list[int]) -> Batch:
    return Batch(
        images=(torch.randn(len(labels), 3, PX, PX).tanh(),),
        tokens=torch.ones(len(labels), 1, dtype=torch.int64),
        labels=torch.tensor(labels),
        captions=("",) * len(labels),
        vectors=torch.randn(len(labels), E),
    )


def terms(made: tacgan.TacGan, given: Batch) -> list[tuple[str, dict[str, float]]]:
    return [
        (update.player, {name: float(value.detach()) for name, value in update.terms.items()})
        for update in made.step(given)
    ]


@pytest.mark.parametrize("logit", [0.0, 2.0, -1.0])
def test_what_an_undecided_critic_says_costs_what_the_code_says(logit: float) -> None:
    """Six terms for the critic, none halved; a class term is a mean over independent sigmoids."""
    made = recipe()
    with torch.no_grad():
        for head in (made.critic.real, made.critic.classes):
            head.weight.zero_()
        made.critic.real.bias.fill_(logit)
        made.critic.classes.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    yes, no = -math.log(1 / (1 + math.exp(-logit))), -math.log(1 - 1 / (1 + math.exp(-logit)))

    def told(label: int) -> float:
        """Softplus(1) for a wrong yes, softplus(-1) for a right one; log 2 for the undecided."""
        first = math.log(1 + math.exp(-1 if label == 0 else 1))
        return (first + 3 * math.log(2)) / 4

    # The wrong picture of place 0 is that of place 1, and the other way round.
    (critic, judged), *generator = terms(made, batch([0, 1]))
    both = (told(0) + told(1)) / 2
    assert critic == "critic"
    assert judged == pytest.approx(
        {
            "accept": yes,
            "refuse_wrong": no,
            "refuse_fake": no,
            **dict.fromkeys(("class_of_real", "class_of_wrong", "class_of_fake"), both),
        },
        rel=1e-5,
    )
    wanted = pytest.approx({"fool": yes, "class": both}, rel=1e-5)
    assert generator == [("generator", wanted)] * 2


def test_the_wrong_picture_brings_its_own_class_beside_the_real_caption() -> None:
    made, given = recipe(), batch([0, 1, 1, 1])
    asked: list[tuple[Tensor, Tensor]] = []
    made.critic.register_forward_pre_hook(lambda module, inputs: asked.append(inputs))
    with torch.no_grad():
        made.critic.classes.weight.zero_()
        made.critic.classes.bias[0] = 50.0  # every picture is taken for class 0
    told = dict(terms(made, given)[:1])["critic"]
    assert all(caption is given.vectors for _, caption in asked)
    _, (wrong, _), (fake, _) = asked[:3]
    assert torch.equal(wrong, given.images[-1][[1, 0, 0, 0]])
    assert not fake.requires_grad
    undecided = 3 / 4 * math.log(2)
    assert told["class_of_real"] == pytest.approx(3 / 4 * 50 / 4 + undecided, rel=1e-4)
    assert told["class_of_fake"] == pytest.approx(told["class_of_real"])
    assert told["class_of_wrong"] == pytest.approx(1 / 4 * 50 / 4 + undecided, rel=1e-4)


def test_both_updates_of_the_generator_draw_from_the_same_noise() -> None:
    made = recipe()
    drawn: list[tuple[Tensor, Tensor]] = []
    made.generator.register_forward_pre_hook(lambda module, inputs: drawn.append(inputs))
    terms(made, batch([0, 1]))
    (first, second) = drawn
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    noise = torch.cat([made.noise(torch.zeros(400, E)) for _ in range(5)])
    assert float(noise.abs().max()) <= 1
    assert float(noise.square().mean()) == pytest.approx(1 / 3, abs=0.01)


def test_gradients_reach_every_weight() -> None:
    made = recipe()
    for update in made.step(batch([0, 1, 2, 3])):
        player = made.players[update.player]
        player.networks.zero_grad()
        torch.stack(list(update.terms.values())).sum().backward(
            inputs=list(player.networks.parameters())
        )
        for name, weight in player.networks.named_parameters():
            assert weight.grad is not None, name
            # What a norm takes away again moves nothing: the biases just before one.
            assert weight.grad.any() or name.endswith("bias"), name


@pytest.mark.parametrize(
    ("encoder", "characters", "message", "hint"),
    [
        ("damsm", 201, "damsm reads words", "characters=none"),
        ("charcnnrnn", None, "charcnnrnn reads letters", "characters=201"),
    ],
)
def test_an_encoder_is_given_what_it_reads(
    encoder: tacgan.Encoder, characters: int | None, message: str, hint: str
) -> None:
    toy = tacgan.PRESETS["toy"]
    settings = replace(toy, encoder=encoder, data=replace(toy.data, characters=characters))
    with pytest.raises(UsageError, match=message) as caught:
        tacgan.needed_settings(settings, encoder)
    assert hint in caught.value.hint


def test_settings_choose_the_encoder_that_is_needed() -> None:
    toy = tacgan.PRESETS["toy"]
    words = replace(toy, encoder="damsm", data=replace(toy.data, characters=None))
    for settings, needed in (
        (toy, {"charcnnrnn"}),
        (words, {"damsm"}),
        (tacgan.PRESETS["flowers"], set[str]()),
    ):
        wanted = {name: tacgan.needed_settings(settings, name) for name in tacgan.NEEDS}
        assert {name for name, each in wanted.items() if each is not None} == needed
    with pytest.raises(UsageError, match="damsm has no preset 'flowers'"):
        tacgan.needed_settings(replace(words, encoder_preset="flowers"), "damsm")


@pytest.mark.slow
def test_damsm_may_read_the_captions() -> None:
    toy = tacgan.PRESETS["toy"]
    settings = replace(toy, encoder="damsm", data=replace(toy.data, characters=None))
    lesson = Lesson("tacgan", settings, {"damsm": Lesson("damsm", damsm.PRESETS["toy"]).needed()})
    made, given = lesson.recipe, lesson.dataset.batch(0, 4, seed=0)
    assert isinstance(made, tacgan.TacGan)
    sentence = made.sentence(given)
    assert torch.equal(
        sentence, made.exported({"generator": made.generator})["text"](given.tokens)[0]
    )
    assert made.sample(given, {"generator": made.generator}).shape == (4, 3, 32, 32)
    assert isinstance(made.network.reader, matchers.Settings)
    assert isinstance(made.network, networks.Settings)


@torch.no_grad()
def examined(made: tacgan.TacGan, held: Batch) -> tuple[float, float, float]:
    """How much and how often right pairs score above wrong ones; classes told, mean over them."""
    sentence, critic = made.sentence(held), made.critic.eval()
    shown = [critic(held.images[-1], sentence.roll(shift, dims=0)) for shift in (0, *SHIFTS)]
    critic.train()
    right, wrong = shown[0].real, torch.stack([each.real for each in shown[1:]])
    told = (shown[0].classes.argmax(dim=1) == held.labels).float()
    by_class = torch.stack([told[held.labels == label].mean() for label in held.labels.unique()])
    often = float((right > wrong).float().mean())
    return float(right.mean() - wrong.mean()), often, float(by_class.mean())


@pytest.mark.slow
def test_the_critic_comes_to_tell_captions_and_classes_of_birds_never_trained_on() -> None:
    reading = Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    reading.learn(80)
    lesson = Lesson("tacgan", tacgan.PRESETS["toy"], {"charcnnrnn": reading.needed()})
    made = lesson.recipe
    assert isinstance(made, tacgan.TacGan)
    held = lesson.dataset.fixed(128)
    higher, _, _ = examined(made, held)
    assert abs(higher) < 0.05
    lesson.learn(160)
    higher, often, told = examined(made, held)
    assert higher > 0.1
    assert often > 0.6
    assert told > 2 / 11
