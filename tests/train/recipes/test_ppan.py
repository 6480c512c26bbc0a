"""PPAN in training: its four losses, where each is asked, and what the critics learn."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lessons import CPU, Lesson
from safetensors.torch import save_file
from torch import Tensor

from t2i.models.encoders.vgg import VggTrunk
from t2i.runtime.errors import TrainingError, UsageError
from t2i.train import data
from t2i.train.data.batch import Batch
from t2i.train.losses import perceptual
from t2i.train.prerequisites import Found, Needed, plan
from t2i.train.rates import halving
from t2i.train.recipes import charcnnrnn, judge, ppan
from t2i.train.vgg import FrozenVgg

SHIFTS = (1, 5, 9, 17)
"""How far the captions of wrong pairs are taken from."""
SMALL = replace(
    ppan.PRESETS["birds"],
    data=replace(ppan.PRESETS["birds"].data, count=16),
    generator_width=2,
    critic_width=8,
    code_size=8,
    features=None,
    perceptual_at=(),
)
NAMES = [f"{kind}_{px}" for px in (16, 32, 64) for kind in ("match", "patches")]


@pytest.fixture(scope="module")
def reader() -> Needed:
    return Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"]).needed()


@pytest.fixture(scope="module")
def batch() -> Batch:
    return data.open(SMALL.data).batch(0, 4, seed=0)


def recipe(settings: ppan.Settings, reader: Needed) -> ppan.Ppan:
    torch.manual_seed(0)
    source = data.open(settings.data, ready=False).source()
    return ppan.build(settings, source, {"charcnnrnn": reader}, CPU)


def terms(made: ppan.Ppan, given: Batch) -> dict[str, dict[str, float]]:
    return {
        update.player: {name: float(value.detach()) for name, value in update.terms.items()}
        for update in made.step(given)
    }


@pytest.mark.parametrize("least_squares", [False, True])
def test_what_undecided_critics_say_costs_what_the_paper_says(
    reader: Needed, batch: Batch, least_squares: bool
) -> None:
    """All say 0 to every pair and patch, and every class is as likely as any."""
    made = recipe(replace(SMALL, least_squares=least_squares, told=2.0), reader)
    with torch.no_grad():
        for critic in made.critics:
            for head in (critic.verdict, critic.piece, critic.classes):
                for weight in head.parameters() if head is not None else ():
                    weight.zero_()
    yes, no = (1.0, 0.0) if least_squares else (math.log(2), math.log(2))
    uncertain = math.log(11)
    found = terms(made, batch)
    for px in (16, 32, 64):
        wanted = {"match": yes + no, "patches": yes + no}
        if px == 64:
            wanted |= {"class_of_real": uncertain, "class_of_fake": uncertain}
        assert found[f"critic_{px}"] == pytest.approx(wanted, rel=1e-5)
    told = found["generator"]
    assert told.pop("divergence") > 0
    assert told == pytest.approx(dict.fromkeys(NAMES, yes) | {"class_64": 2 * uncertain}, rel=1e-5)


def test_wrong_captions_stand_beside_real_pictures(reader: Needed, batch: Batch) -> None:
    made = recipe(SMALL, reader)
    asked: list[tuple[Tensor, Tensor]] = []
    for critic in made.critics:
        said = critic.pair
        critic.pair = lambda *given, say=said: asked.append(given) or say(*given)  # type: ignore
    moves = made.step(batch)
    for _ in made.critics:
        next(moves)
    sentence = made.reader.text(batch.tokens)
    for wrong, fake, own in (asked[:3], asked[3:6], asked[6:9]):
        assert wrong[0] is own[0], "both beside the real picture"
        assert torch.equal(own[1], sentence)
        assert torch.equal(fake[1], sentence)
        assert not any(torch.equal(a, b) for a, b in zip(wrong[1], sentence, strict=True))


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"critics": 1}, {"match_16", "patches_16", "match_32", "patches_32"}),
        ({"critics": 2}, {"match_16", "patches_16"}),
        ({"local": False}, {"patches_16", "patches_32", "patches_64"}),
        ({"class_at": ()}, {"class_64"}),
        ({"lateral": False}, set[str]()),
    ],
)
def test_the_papers_ablations_leave_out_what_they_say(
    reader: Needed, batch: Batch, change: dict[str, Any], gone: set[str]
) -> None:
    made = recipe(replace(SMALL, **change), reader)
    assert set(terms(made, batch)["generator"]) == {*NAMES, "class_64", "divergence"} - gone
    assert bool(len(made.generator.lateral)) == (change != {"lateral": False})


def test_a_network_compares_pictures_where_it_is_asked_to(reader: Needed, batch: Batch) -> None:
    """Here one that sees a picture's mean; where it sees no difference, the loss is 0."""
    eye = SimpleNamespace(maps=lambda pictures: (pictures.mean(dim=(2, 3), keepdim=True),) * 2)
    made = recipe(replace(SMALL, perceptual_at=(16, 64), likeness=3.0), reader)
    made.eye = eye  # type: ignore[assignment]
    blacker = tuple(each - 0.5 for each in batch.images)
    told = made.resemble(blacker, batch.images)
    assert set(told) == {"perceptual_16", "perceptual_64"}
    for value in told.values():
        assert float(value) == pytest.approx(3.0 * 2 * 0.25, rel=1e-4)
    assert all(float(each) == 0 for each in made.resemble(batch.images, batch.images).values())
    assert {"perceptual_16", "perceptual_64"} <= set(terms(made, batch)["generator"])


def test_distances_are_means_summed_over_maps() -> None:
    maps = (torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 2, 2))
    assert float(perceptual.squared([maps[0] + 2, maps[1] - 3], maps)) == 4 + 9


@pytest.mark.parametrize("features", ["judge", "vgg"])
def test_gradients_pass_a_frozen_network_to_the_pictures(
    reader: Needed, batch: Batch, tmp_path: Path, features: Any
) -> None:
    whole = VggTrunk().state_dict() | {"classifier.6.bias": torch.zeros(1000)}
    save_file(whole, tmp_path / "vgg.safetensors")
    settings = replace(
        SMALL, features=features, perceptual_at=(64,), vgg=str(tmp_path / "vgg.safetensors")
    )
    needs = {"charcnnrnn": reader, "judge": Lesson("judge", judge.PRESETS["toy"]).needed()}
    made = ppan.build(settings, data.open(SMALL.data).source(), needs, CPU)
    assert made.eye is not None
    assert not made.eye.network.training
    before = {name: each.clone() for name, each in made.eye.network.state_dict().items()}
    fakes = tuple(torch.randn_like(each).requires_grad_() for each in batch.images)
    told = made.resemble(fakes, batch.images)
    told["perceptual_64"].backward()
    last = fakes[-1].grad
    assert last is not None
    assert last.abs().sum() > 0
    assert all(each.grad is None for each in (*fakes[:-1], *made.eye.network.parameters()))
    for name, each in made.eye.network.state_dict().items():
        assert torch.equal(each, before[name]), name


def test_other_weights_than_vggs_are_refused(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="does not hold the weights of VGG-16") as caught:
        FrozenVgg(tmp_path / "other.safetensors", CPU)
    assert "torchvision" in caught.value.hint
    with pytest.raises(TrainingError, match="cannot be read"):
        FrozenVgg(tmp_path / "none.safetensors", CPU)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"critics": 4}, "critics=4", "--set critics=3"),
        ({"critics": 0}, "critics=0", "--set critics=3"),
        ({"class_at": (16,), "critics": 2}, "class_at names 16 px", "class_at=32,64"),
        ({"perceptual_at": (128,)}, "perceptual_at names 128 px", "perceptual_at=16,32,64"),
    ],
)
def test_settings_that_do_not_fit_are_wrong_usage(
    reader: Needed, change: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        recipe(replace(SMALL, **change), reader)
    assert hint in caught.value.hint


def test_what_compares_pictures_must_be_there_before_anything_is_trained(tmp_path: Path) -> None:
    birds, cub = ppan.PRESETS["birds"], ppan.PRESETS["cub"]
    assert ppan.needed_settings(birds, "judge") == judge.PRESETS["perceptual"]
    assert ppan.needed_settings(ppan.PRESETS["toy"], "judge") is None
    file = tmp_path / "vgg.safetensors"
    with pytest.raises(UsageError, match="is not there"):
        ppan.needed_settings(replace(cub, vgg=str(file)), "judge")
    file.touch()
    assert ppan.needed_settings(replace(cub, vgg=str(file)), "judge") is None
    with pytest.raises(UsageError, match="no file of its weights") as caught:
        ppan.needed_settings(cub, "judge")
    assert "--set vgg=FILE" in caught.value.hint
    with pytest.raises(UsageError, match="drawn birds alone"):
        ppan.needed_settings(replace(cub, features="judge"), "judge")


def test_the_judge_that_ships_serves_captions_that_are_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was trained beside captions of words, and reads none."""
    monkeypatch.chdir(tmp_path)  # where there is no run of a judge
    birds = ppan.PRESETS["birds"]
    found = plan("ppan", "birds", birds, {}, data.open(birds.data, ready=False)).needs["judge"]
    assert isinstance(found, Found)
    assert found.origin.startswith("shipped with t2i")


def test_the_learning_rate_is_halved_every_hundred_epochs() -> None:
    steps = (0, 55_299, 55_300, 331_799)
    assert [halving(ppan.PRESETS["cub"].halve_steps)(step) for step in steps] == [
        1,
        1,
        1 / 2,
        1 / 32,
    ]
    assert halving(ppan.PRESETS["birds"].halve_steps)(10**6) == 1


@torch.no_grad()
def gap(made: ppan.Ppan, held: Batch) -> tuple[float, float]:
    """How much higher right pairs score than wrong ones in the mean, and how often."""
    sentence, critic = made.reader.text(held.tokens), made.critics[-1].eval()
    seen = critic.features(held.images[-1])
    right, *wrong = (critic.pair(seen, sentence.roll(shift, dims=0)) for shift in (0, *SHIFTS))
    critic.train()
    others = torch.stack(wrong)
    return float(right.mean() - others.mean()), float((right > others).float().mean())


@pytest.mark.slow
def test_right_captions_come_to_score_above_wrong_ones_for_birds_never_trained_on() -> None:
    reading = Lesson("charcnnrnn", charcnnrnn.PRESETS["toy"])
    reading.learn(80)
    lesson = Lesson("ppan", ppan.PRESETS["toy"], {"charcnnrnn": reading.needed()})
    made = lesson.recipe
    assert isinstance(made, ppan.Ppan)
    held = lesson.dataset.fixed(128)
    higher, _ = gap(made, held)
    assert abs(higher) < 0.05
    lesson.learn(80)
    higher, often = gap(made, held)
    assert higher > 0.3
    assert often > 0.62
