"""What lies in weights, and beside them, that a training starts from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from t2i.models import attngan, hdgan, stylegan2
from t2i.runtime import runs
from t2i.runtime.bundle import Need
from t2i.runtime.errors import TrainingError, UsageError
from t2i.runtime.records import dumps, encode
from t2i.train.kept import Kept, beside, held
from t2i.train.settings import on_pictures_of
from t2i.train.systems import preset_of


def recipe(system: str, sizes: Any = None, **changes: Any) -> runs.Recipe:
    """Of official weights, but for what is changed."""
    blank: dict[str, Any] = {"classes": (), "data": {}, "needs": {}, "settings": {}}
    blank |= {"images_seen": 0, "steps": 0, "finished": True, "facing": None}
    network = encode(sizes) if sizes else {}
    text = runs.TextSettings(25, "drop")
    told = {"schema": 1, "version": "0", "system": system, "preset": "official"}
    return runs.Recipe(**{**blank, **told, "network": network, "text": text, **changes})


def weights(folder: Path, *names: str) -> Path:
    path = folder / "some.safetensors"
    save_file({name: torch.ones(1) for name in names}, path)
    return path


def test_a_prerequisite_is_found_whole_in_weights_or_not_at_all(tmp_path: Path) -> None:
    file = weights(tmp_path, "text.a", "generator.first.b", "generator.c")
    assert held("charcnnrnn", file, recipe("hdgan")) == {"text": "text"}
    whole = {"text": "text", "generator": "generator.first"}
    assert held("stackgan1", file, recipe("stackgan")) == whole
    assert held("stackgan1", file, recipe("hdgan")) == {}, "which needs none"
    assert held("charcnnrnn", weights(tmp_path, "generator.c"), recipe("hdgan")) == {}
    with pytest.raises(UsageError, match="lacks its network image") as caught:
        held("damsm", weights(tmp_path, "text.a"), recipe("attngan"))
    assert "--with damsm=FILE" in caught.value.hint


@pytest.mark.parametrize(("used", "found"), [("charcnnrnn", {"text": "text"}), ("damsm", {})])
def test_of_a_run_only_what_it_used_is_found(
    used: str, found: Mapping[str, str], tmp_path: Path
) -> None:
    """TAC-GAN reads with either encoder, and calls it `text` both times."""
    run = recipe("tacgan", needs={used: Need("0" * 64, "runs/x")})
    assert held("charcnnrnn", weights(tmp_path, "text.a", "generator.b"), run) == found


def test_sizes_pictures_and_words_are_those_of_the_weights(tmp_path: Path) -> None:
    file = weights(tmp_path, "generator.a")
    sizes = attngan.Settings(7, generator_width=6, first_px=8, critic_width=3)
    told = {"generator_width": 6, "first_px": 8, "stages": 3}
    kept = Kept(file, recipe("attngan", sizes, settings=told))
    preset = preset_of("attngan", "coco")
    fitted: Any = kept.fitted(preset)
    assert (fitted.generator_width, fitted.data.px) == (6, (8, 16, 32))
    assert fitted.critic_width == 96, "of critics no file tells"
    assert fitted.data.vocabulary is None
    file.with_suffix(".tokenizer.json").write_bytes(b"{}")
    fitted = kept.fitted(preset)
    assert fitted.data.vocabulary == str(file.with_suffix(".tokenizer.json"))
    needed = on_pictures_of(fitted, preset_of("damsm", "coco"))
    assert needed.data.vocabulary == fitted.data.vocabulary  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("system", "sizes", "px"),
    [
        ("hdgan", hdgan.Settings(71, drawn_px=(64, 128)), (64, 128)),
        ("stylegan2", stylegan2.Settings(widths=(8, 4, 2)), (16,)),
    ],
)
def test_pictures_have_the_sides_that_networks_draw(
    system: str, sizes: Any, px: tuple[int, ...], tmp_path: Path
) -> None:
    kept = Kept(weights(tmp_path, "generator.a"), recipe(system, sizes))
    fitted: Any = kept.fitted(preset_of(system, "birds"))
    assert fitted.data.px == px


def test_what_lies_beside_weights_must_be_theirs(tmp_path: Path) -> None:
    file = weights(tmp_path, "generator.a")
    assert beside(None, "attngan") is None
    assert beside(file, "attngan") is None
    file.with_suffix(".json").write_text(dumps(recipe("hdgan")))
    with pytest.raises(UsageError, match="holds weights of hdgan, not of attngan"):
        beside(file, "attngan")
    broken = recipe("attngan", settings={"residuals": "two"}, network={"residuals": 2})
    file.with_suffix(".json").write_text(dumps(broken))
    kept = beside(file, "attngan")
    assert kept
    with pytest.raises(TrainingError, match="is damaged"):
        kept.fitted(preset_of("attngan", "cub"))
    file.with_suffix(".json").write_text("{}")
    with pytest.raises(TrainingError, match="is damaged"):
        beside(file, "attngan")
