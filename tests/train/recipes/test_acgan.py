"""AC-GAN's step computes the paper's losses, and the critic learns to tell classes."""

import math
from dataclasses import replace

import pytest
import torch
from lessons import CPU, Lesson
from torch import Tensor, nn

from t2i.models.acgan import Verdict
from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.recipe import Source
from t2i.train.recipes.acgan import PRESETS, AcGan, Settings, build

TOY = replace(
    PRESETS["toy"],
    data=data.Settings(kind="birds", px=(16,), condition="class"),
    generator_widths=(8, 4),
    critic_widths=(4, 8),
    dropout=0.0,
)


def recipe(settings: Settings = TOY, classes: int = 3) -> AcGan:
    torch.manual_seed(0)
    source = Source(classes + 2, 1, tuple("abcdefghijk"[:classes]), 9, attributes=(), facing=None)
    return build(settings, source, {}, CPU)


def batch(labels: list[int], px: int = 16) -> Batch:
    return Batch(
        images=(torch.randn(len(labels), 3, px, px).tanh(),),
        tokens=1 + torch.tensor(labels)[:, None],
        labels=torch.tensor(labels),
        captions=("",) * len(labels),
    )


def terms(made: AcGan, given: Batch) -> dict[str, float]:
    return {
        f"{update.player}.{name}": float(value.detach())
        for update in made.step(given)
        for name, value in update.terms.items()
    }


@pytest.mark.parametrize("logit", [0.0, 2.0, -1.0])
def test_what_an_undecided_critic_says_costs_what_the_paper_says(logit: float) -> None:
    """Both heads ignore the picture: P(real) = σ(logit), and each class is as likely as any."""
    made = recipe(classes=5)
    with torch.no_grad():
        for head in (made.critic.real, made.critic.classes):
            head.weight.zero_()
        made.critic.real.bias.fill_(logit)
    real = 1 / (1 + math.exp(-logit))
    found = terms(made, batch([0, 1, 2, 3, 4, 0]))
    assert found == pytest.approx(
        {
            "critic.accept": -math.log(real),
            "critic.refuse": -math.log(1 - real),
            "critic.class_of_real": math.log(5),
            "critic.class_of_fake": math.log(5),
            "generator.fool": -math.log(real),
            "generator.class": math.log(5),
        },
        rel=1e-5,
    )


def test_real_pictures_are_classified_by_their_labels() -> None:
    made = recipe()
    with torch.no_grad():
        made.critic.classes.weight.zero_()
        made.critic.classes.bias.copy_(torch.tensor([2.0, 0.0, 0.0]))
    certain = math.log(math.exp(2) + 2) - 2
    found = terms(made, batch([0, 0, 0]))["critic.class_of_real"]
    assert found == pytest.approx(certain, rel=1e-5)
    found = terms(made, batch([0, 1, 2]))["critic.class_of_real"]
    assert found == pytest.approx(certain + 4 / 3, rel=1e-5)


class Painter(nn.Module):
    """Draws class c in the colour c."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.ones(()))

    def forward(self, noise: Tensor, wanted: Tensor) -> Tensor:
        return (self.strength * wanted)[:, :, None, None].expand(-1, -1, 16, 16)


class Eye(nn.Module):
    """Takes the colour for the class."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(30.0))

    def forward(self, images: Tensor) -> Verdict:
        seen = self.strength * images.mean(dim=(2, 3))
        return Verdict(seen.sum(dim=1), seen)


def test_a_generated_picture_is_judged_by_the_class_that_was_asked_for() -> None:
    made = recipe()
    made.generator, made.critic = Painter(), Eye()  # type: ignore[assignment]
    found = terms(made, batch([0, 1, 2] * 20))
    assert found["generator.class"] == pytest.approx(0, abs=1e-6)
    assert found["critic.class_of_fake"] == pytest.approx(0, abs=1e-6)
    assert found["critic.refuse"] == pytest.approx(30, rel=1e-4)


def test_classes_are_asked_for_alike_whatever_the_labels_are() -> None:
    made = recipe()
    asked: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        asked.append(inputs[1])

    made.generator.register_forward_pre_hook(note)
    list(made.step(batch([0] * 600)))
    (wanted,) = asked
    assert (wanted.sum(dim=1) == 1).all()
    assert wanted.mean(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=0.06)


def test_samples_show_the_classes_of_their_captions() -> None:
    made = recipe()
    made.generator = Painter()  # type: ignore[assignment]
    drawn = made.sample(batch([2, 0]), {"generator": made.generator})
    assert drawn.mean(dim=(2, 3)).argmax(dim=1).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        (replace(TOY, generator_widths=(8, 4, 2)), "draws 32 px and would learn from 16", "px=32"),
        (replace(TOY, data=replace(TOY.data, condition="caption")), "not captions", "=class"),
        (replace(TOY, critic_widths=()), "names no layer", "critic_widths"),
    ],
)
def test_settings_that_do_not_fit_are_wrong_usage(
    settings: Settings, message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        recipe(settings)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_draws_what_its_data_show(name: str) -> None:
    settings = PRESETS[name]
    assert settings.network(12).image_px == settings.data.px[-1]


@pytest.mark.slow
def test_the_classifier_learns_to_read_pictures_it_has_never_seen() -> None:
    """Of 11 main colours, in birds whose combinations of colours are held out."""
    lesson = Lesson("acgan", PRESETS["toy"])
    made, unseen = lesson.recipe, lesson.dataset.fixed(160)
    assert isinstance(made, AcGan)
    lesson.learn(80)
    with torch.no_grad():
        read = made.critic.eval()(unseen.images[-1]).classes.argmax(dim=1)
    right = (read == unseen.labels).float()
    # The mean over the classes that occur: no guess, not even the commonest, gets more than one.
    by_class = torch.stack(
        [right[unseen.labels == label].mean() for label in unseen.labels.unique()]
    )
    assert float(by_class.mean()) > 2 / len(by_class)
