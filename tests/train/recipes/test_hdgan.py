"""HDGAN in training: what its critics learn of captions, who moves, and the paper's ablations."""

import pytest
import torch
from lessons import CPU, Lesson
from torch import Tensor

from t2i.runtime.errors import TrainingError
from t2i.runtime.records import encode
from t2i.train.data.batch import Batch
from t2i.train.players import Players
from t2i.train.prerequisites import Needed
from t2i.train.rates import halving_epochs
from t2i.train.recipes import charcnnrnn, hdgan
from t2i.train.settings import change

SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""


def reader(steps: int) -> Needed:
    """A char-CNN-RNN after so many steps."""
    lesson = Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    lesson.learn(steps)
    return lesson.needed()


def made(needed: Needed, *assignments: str) -> tuple[Lesson, hdgan.HDGan]:
    settings = change(hdgan.PRESETS["toy"], assignments)
    lesson = Lesson("hdgan", settings, {"charcnnrnn": needed})
    assert isinstance(lesson.recipe, hdgan.HDGan)
    return lesson, lesson.recipe


@torch.no_grad()
def by_critics(recipe: hdgan.HDGan, held: Batch) -> tuple[float, float]:
    """How much higher right pairs score in the mean over sizes, and how often."""
    sentence, scores = recipe.reader.text(held.tokens), torch.zeros(5, len(held.tokens))
    for critic, images in zip(recipe.critics, held.images, strict=True):
        seen = critic.eval().features(images)
        said = (sentence.roll(shift, dims=0) for shift in (0, *SHIFTS))
        scores += torch.stack([critic.pair(seen, each) for each in said]) / len(recipe.critics)
        critic.train()
    right, wrong = scores[0], scores[1:]
    return float(right.mean() - wrong.mean()), float((right > wrong).float().mean())


@pytest.mark.slow
def test_right_captions_come_to_score_above_wrong_ones_for_birds_never_trained_on() -> None:
    lesson, recipe = made(reader(steps=80))
    held = lesson.dataset.fixed(128)
    higher, _ = by_critics(recipe, held)
    assert abs(higher) < 0.01
    lesson.learn(80)
    higher, often = by_critics(recipe, held)
    assert higher > 0.04
    assert often > 0.58


def gradients(recipe: hdgan.HDGan, batch: Batch) -> tuple[set[str], set[str]]:
    """Parameters of both players, and those that a step gave a gradient other than zero."""
    named: dict[str, Tensor] = {
        f"{player}.{name}": parameter
        for player, each in recipe.players.items()
        for name, parameter in each.networks.named_parameters()
    }
    players, reached = Players(recipe.players, "fp32", CPU), set[str]()
    for update in recipe.step(batch):
        players.learn(update, share=1.0)
        grads = {name: each.grad for name, each in named.items() if each.grad is not None}
        reached |= {name for name, grad in grads.items() if bool(grad.any())}
        players.move(update.player, 0)
    return set(named), reached


@pytest.mark.parametrize("ablation", [(), ("local=false",), ("px=32",)])
def test_gradients_reach_every_parameter_of_both_players(ablation: tuple[str, ...]) -> None:
    lesson, recipe = made(reader(steps=0), *ablation)
    batch = lesson.dataset.batch(0, 16, seed=0)
    named, reached = gradients(recipe, batch)
    # A bias before a batch norm moves nothing: the norm subtracts it again.
    assert named - reached <= {"generator.unfold.0.bias"}
    terms = {update.player: set(update.terms) for update in recipe.step(batch)}
    sizes = ("32",) if ablation == ("px=32",) else ("16", "32")
    kinds = ("pair",) if ablation == ("local=false",) else ("pair", "local")
    assert terms["critic"] == {f"{kind}_{px}" for kind in kinds for px in sizes}
    assert terms["generator"] == terms["critic"] | {"divergence"}


def test_an_enlarged_generator_learns_its_last_size_and_nothing_else() -> None:
    needed = reader(steps=0)
    _, plain = made(needed)
    with torch.no_grad():  # as after a training
        plain.generator(*plain.noise(torch.randn(4, 32)), torch.randn(4, 32))
    larger = ("px=16,32,64", "enlarged=true", "pieces_px=64")
    lesson, recipe = made(needed, *larger)
    recipe.generator.load_state_dict(plain.generator.state_dict(), strict=False)
    before = {name: each.clone() for name, each in plain.generator.state_dict().items()}
    assert [critic.px for critic in recipe.critics] == [64]
    named, reached = gradients(recipe, lesson.dataset.batch(0, 16, seed=0))
    own = ("critic.", "generator.enlarge.", "generator.heads.64.")
    assert reached == {name for name in named if name.startswith(own)}
    after = recipe.generator.state_dict()
    assert all(torch.equal(after[name], each) for name, each in before.items())


def test_enlarging_what_was_never_trained_is_an_error() -> None:
    lesson, recipe = made(reader(steps=0), "px=16,32", "enlarged=true")
    with pytest.raises(TrainingError, match="never trained") as caught:
        next(recipe.step(lesson.dataset.batch(0, 16, seed=0)))
    assert "--weights" in caught.value.hint


def test_the_likeness_is_the_distance_from_the_smaller_picture_enlarged() -> None:
    _, recipe = made(reader(steps=0), "px=16,32", "enlarged=true")
    flat = torch.full((2, 3, 16, 16), 0.25), torch.full((2, 3, 32, 32), -0.5)
    drawn = hdgan.hdgan.Drawn(flat, torch.zeros(2, 4), torch.zeros(2, 4))
    assert float(recipe.restrain(drawn)["likeness"]) == pytest.approx(0.75)


def test_the_divergence_is_that_of_the_official_code() -> None:
    _, recipe = made(reader(steps=0))
    mean, log_sigma = torch.randn(2, 4), torch.randn(2, 4)
    drawn = hdgan.hdgan.Drawn((), mean, log_sigma)
    gap = (0.5 * (mean.square() + (2 * log_sigma).exp() - 1) - log_sigma).mean()
    torch.testing.assert_close(recipe.restrain(drawn)["divergence"], 0.5 * gap)


def test_the_learning_rate_is_halved_in_every_hundredth_epoch_counted_from_one() -> None:
    cub = hdgan.PRESETS["cub"]
    epoch = 8855 // cub.loop.batch_size
    steps = (0, 99 * epoch - 1, 99 * epoch, 199 * epoch, cub.loop.steps - 1)
    assert [halving_epochs(cub.halve_epochs, epoch)(step) for step in steps] == [
        1,
        1,
        1 / 2,
        1 / 4,
        1 / 32,
    ]
    assert halving_epochs(hdgan.PRESETS["birds"].halve_epochs, 1)(10**6) == 1


def test_the_paper_presets_are_the_paper() -> None:
    network = hdgan.PRESETS["cub"].network(hdgan.readers.TextSettings(vocabulary=71))
    assert encode(network) == encode(hdgan.hdgan.Settings(vocabulary=71))
    weights = {name: hdgan.PRESETS[name].divergence for name in ("cub", "flowers", "coco")}
    assert weights == {"cub": 4.0, "flowers": 4.0, "coco": 2.0}
