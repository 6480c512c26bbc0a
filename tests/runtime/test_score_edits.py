"""`t2i-score edit`: what it must say of painters of which all is known."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import failed, records
from hypothesis import given
from hypothesis import strategies as st
from judges import PRIMARY, write_colourist, write_judge, write_parts
from typer.testing import CliRunner, Result

from t2i.runtime.bundle import Bundle
from t2i.runtime.cli.score import app
from t2i.runtime.errors import BundleError, ScoreError
from t2i.runtime.rules import problems
from t2i.runtime.score import edits, locality
from t2i.runtime.score.confidence import NORMAL_95, of_mean, wilson
from t2i.runtime.score.edits import Edit, Looks, RenderedEdits, read_edits, rendered_edits
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.locality import Locality, grown, split
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.parts import Shown
from t2i.runtime.score.protocol import Input, Value
from t2i.runtime.score.sets import Setting, show
from t2i.runtime.score.sources import Caption, Whole

PX = 64
PARTS = ("background", "wing", "head")
MAP = np.zeros((8, 8), int)
MAP[:, :4] = 1
"""The left half is wing; of the rest nothing is bird."""
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
EDIT = Edit("a red wing", "a blue wing", "wing", "red", "blue", ("wing",), {"ground": "dark"})


class Judge:
    """Reads the colour of the left half, and whether the right half is dark."""

    name, sha256 = "judge", "1" * 64
    manifest = SimpleNamespace(
        attributes={"wing": tuple(COLOURS), "ground": ("dark", "bright")}, parts=PARTS
    )
    bundle = SimpleNamespace(sha256="2" * 64)

    def require(self, *outputs: str) -> None:
        assert outputs == ("attributes",)

    attribute = Extractor.attribute

    def look(self, pictures: Sequence[np.ndarray], outputs: Sequence[str]) -> dict[str, Any]:
        wing = np.stack([each[:, : PX // 2].mean((0, 1)) for each in pictures])
        bright = np.stack([each[:, -8:].mean() - 127.5 for each in pictures])
        return {"attributes": np.column_stack([wing, -bright, bright])}

    def look_at_chunk(
        self, pictures: Sequence[np.ndarray], outputs: Sequence[str], size: int
    ) -> dict[str, Any]:
        assert len(pictures) <= size
        return self.look(pictures, outputs)


class Parts(Judge):
    """Sees a map of parts in every picture, whatever it shows."""

    def __init__(self, map_of: np.ndarray = MAP) -> None:
        self.map = map_of

    def require(self, *outputs: str) -> None:
        assert outputs == ("parts",)

    def look(self, pictures: Sequence[np.ndarray], outputs: Sequence[str]) -> dict[str, Any]:
        one = (self.map == np.arange(len(PARTS))[:, None, None]).astype(np.float32)
        return {"parts": np.stack([one] * len(pictures))}


@dataclass(frozen=True)
class Painter(Whole):
    """Pictures of edits, before and after in turn."""

    edits: tuple[Edit, ...]
    pictures: tuple[np.ndarray, ...]
    name: str = "fake"
    captions: tuple[Caption, ...] = ()
    seed: int = 0
    inputs: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def identity(self) -> str:
        return self.name

    def batches(self, size: int, start: int = 0) -> Iterator[list[Shown]]:
        for first in range(start, len(self), size):
            yield [Shown(each, None) for each in self.pictures[first : first + size]]


def bird(wing: str, rest: int = 40) -> np.ndarray:
    """A picture whose left half is all wing."""
    picture = np.full((PX, PX, 3), rest, np.uint8)
    picture[:, : PX // 2] = COLOURS[wing]
    return picture


def score(
    *pairs: tuple[np.ndarray, np.ndarray], edit: Edit = EDIT, map_of: np.ndarray = MAP
) -> Value:
    """What the metric says, in batches that part the pictures of an edit."""
    judge: Any = Judge()
    source = Painter((edit,) * len(pairs), tuple(each for pair in pairs for each in pair))
    parts: Any = Parts(map_of)
    metric = Locality(Setting(judge, source), parts)
    show(source, [(judge, metric)], batch_size=3)
    return metric.value()


def parts_of(value: Value) -> dict[str, float]:
    return {part.name: part.value for part in value.parts}


# What it must say


def test_a_change_of_exactly_the_part_is_perfect() -> None:
    found = score((bird("red"), bird("blue")))
    assert found.value == 1
    assert parts_of(found) == {
        "all": 1,
        "new value seen": 1,
        "rest read as before": 1,
        "stayed outside": 1,
        "change outside": 0,
        # Of three channels two change by all levels, but in the margin nothing does.
        "change inside": pytest.approx(2 / 3 * (4 / 5)),
        "wing": 1,
    }


def test_a_change_of_everything_is_the_worst() -> None:
    found = score((bird("red", rest=20), bird("blue", rest=220)))
    told = parts_of(found)
    assert found.value == told["stayed outside"] == told["rest read as before"] == 0
    assert told["new value seen"] == 1
    assert told["change outside"] == pytest.approx(200 / 255)


def test_no_change_is_no_edit() -> None:
    found = score((bird("red"), bird("red")))
    told = parts_of(found)
    assert found.value == told["new value seen"] == told["change inside"] == 0
    assert told["stayed outside"] == 1


@pytest.mark.parametrize("before", ["blue", "green"])
def test_an_edit_takes_only_from_another_value_to_the_new_one(before: str) -> None:
    assert score((bird(before), bird("blue"))).value == (before != "blue")
    assert score((bird(before), bird("red"))).value == 0


def test_what_changes_of_the_rest_is_counted_by_its_pixels() -> None:
    before, after = bird("red"), bird("blue")
    after[: PX // 4] += np.uint8(9)  # a quarter of the rows, wing and rest alike
    after[PX // 4 : PX // 2] += np.uint8(8)  # and a quarter that counts as having stayed
    after[:, : PX // 2] = COLOURS["blue"]
    told = parts_of(score((before, after)))
    assert told["stayed outside"] == pytest.approx(3 / 4)
    assert told["change outside"] == pytest.approx((9 / 4 + 8 / 4) / 255)


def test_a_part_that_is_nowhere_may_change_nothing() -> None:
    told = parts_of(score((bird("red"), bird("blue")), edit=replace(EDIT, parts=("head",))))
    assert told["stayed outside"] == pytest.approx(1 / 2)
    assert told["change inside"] == 0


def test_all_that_changes_may_be_the_whole_picture() -> None:
    told = parts_of(score((bird("red", 0), bird("blue", 200)), map_of=np.ones((8, 8), int)))
    assert (told["stayed outside"], told["change outside"]) == (1, 0)


def test_edits_are_averaged_and_each_number_tells_how_sure_it_is() -> None:
    good, none = (bird("red"), bird("blue")), (bird("red"), bird("red"))
    found = score(good, none, good, good)
    assert found.value == 3 / 4
    half = NORMAL_95 * math.sqrt(0.25 / 4)  # the variance of 1, 0, 1, 1 as a sample
    assert found.interval == (pytest.approx(0.75 - half), 1.0)
    told = {part.name: part for part in found.parts}
    assert (told["new value seen"].interval, told["new value seen"].count) == (wilson(3, 4), 4)
    assert told["rest read as before"].interval == wilson(4, 4)
    assert told["wing"].interval == found.interval
    assert found.options["edits"] == 4
    assert found.options["parts"] == f"judge {'2' * 64}"


def test_the_renderer_stands_beside_it_where_the_same_networks_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for judge, known in (("1" * 64, 0.5), ("3" * 64, None)):
        looks = Looks(judge, "1" * 64, {"wing": 0.5})
        rendered = RenderedEdits(looks, Input("edits.json", None, "4" * 64))
        monkeypatch.setattr(locality, "rendered_edits", lambda rendered=rendered: rendered)
        (wing,) = (each for each in score((bird("red"), bird("blue"))).parts if each.name == "wing")
        assert wing.rendered == known


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parts": ("hat",)}, "tells no 'hat'"),
        ({"value": "mauve"}, "knows no 'wing' that is 'mauve'"),
        ({"attribute": "mood"}, "does not read 'mood'"),
        ({"facts": {"mood": "gay"}}, "does not read 'mood'"),
    ],
)
def test_what_cannot_be_seen_is_an_error_before_anything_is_drawn(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScoreError, match=said):
        score((bird("red"), bird("blue")), edit=replace(EDIT, **change))


# Masks and means


def test_a_part_grows_by_a_thirty_second_of_the_side_and_not_round_the_edge() -> None:
    mask = np.zeros((64, 64), bool)
    mask[10, 20] = mask[0, 63] = True
    wide = np.zeros_like(mask)
    wide[8:13, 18:23] = wide[:3, 61:] = True
    assert (grown(mask) == wide).all()


@pytest.mark.parametrize("px", [8, 48, 64, 100])
def test_a_mask_is_laid_over_a_picture_of_any_size(px: int) -> None:
    before, mask = np.zeros((px, px, 3), np.uint8), np.zeros((8, 8), bool)
    mask[:, 4:] = True
    after = before.copy()
    after[:, px // 2 :] = 255
    assert split(before, after, mask) == (1.0, 0.0, 1.0)
    assert split(before, after, ~mask) == (0.0, 1.0, 0.0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_the_interval_of_a_mean_is_that_of_textbooks(values: list[float]) -> None:
    found = of_mean(values)
    assert found
    half = NORMAL_95 * np.std(values, ddof=1) / math.sqrt(len(values))
    mean = np.mean(values)
    assert found == (
        pytest.approx(max(0, mean - half), abs=1e-12),
        pytest.approx(min(1, mean + half), abs=1e-12),
    )


def test_one_value_alone_tells_nothing_of_its_spread() -> None:
    assert of_mean([0.5]) is None


# Files


def test_the_edits_that_ship_can_be_read_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    shipped = read_edits()
    assert len(shipped) == 500
    path = tmp_path / "edits.jsonl"
    path.write_text('{"before": "a bird"}\n', encoding="utf-8")
    with pytest.raises(BundleError, match=r"edits\.jsonl cannot be read"):
        read_edits(path)
    assert rendered_edits(tmp_path / "none.json") is None
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"edits\.jsonl cannot be read"):
        rendered_edits(path)


def test_parts_have_names_and_a_map_each(tmp_path: Path) -> None:
    sound = Bundle.load(write_parts(tmp_path, MAP, PARTS)).manifest
    assert not list(problems(sound))
    for names in (PARTS[:2], ("a", "a", "b"), ("a", "", "b"), ("a", "\n", "b")):
        assert any(each.startswith("parts: ") for each in problems(replace(sound, parts=names)))


# The command


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Who draws plain colours, who reads them, and who takes all of a picture for the wing."""
    write_colourist(tmp_path, noise=0.0)
    attributes = {"back": ("red", "green", "blue"), "light": ("dark", "bright")}
    write_judge(tmp_path, "birds-features", attributes)
    write_judge(tmp_path, "other", attributes, reads=np.zeros((3, 5)))
    write_parts(tmp_path, np.ones((8, 8), int), PARTS)
    made = [
        Edit(f"a {one} bird", f"a {two} bird", "main", one, two, ("wing",), {})
        for one in PRIMARY
        for two in PRIMARY
        if one != two
    ]
    path = tmp_path / "edits.jsonl"
    lines = (json.dumps(edits.records.encode(each)) + "\n" for each in made)
    path.write_text("".join(lines), encoding="utf-8")
    monkeypatch.setattr(locality, "read_edits", lambda: read_edits(path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    order = ["--model=./colourist.t2i", *arguments, "--device=cpu", "--threads=1"]
    return CliRunner().invoke(app, ["edit", *order])


def test_a_bundle_draws_its_edits_and_the_protocol_says_how(world: Path) -> None:
    done = run("--json", "--seed=5", "--batch-size=5", "--with=edit=./birds-features.t2i")
    assert done.exit_code == 0, done.output
    assert "colourist: 12 pictures · edit by ./birds-features.t2i" in done.stderr
    (found,) = records(done.stdout)
    assert (found["metric"], found["value"]) == ("edit", 1.0)
    told = {part["name"]: part["value"] for part in found["parts"]}
    assert told["new value seen"] == told["main"] == 1
    about = found["protocol"]
    assert (about["pictures"], about["seed"], about["options"]["edits"]) == (12, 5, 6)
    assert [each["name"] for each in about["inputs"]] == ["colourist", "edits.jsonl"]
    assert about["options"]["parts"].startswith("birds-parts ")


def test_what_draws_token_by_token_is_named_by_the_graph_that_does() -> None:
    graph, manifest = SimpleNamespace(sha256="5" * 64), SimpleNamespace(name="dalle")
    painter: Any = SimpleNamespace(manifest=manifest, graph=graph)
    assert edits.Edited(painter, (EDIT,), 0).inputs[0] == Input("dalle", 2, "5" * 64)


def test_so_many_edits_are_drawn_as_pictures_are_asked_for(world: Path) -> None:
    (found,) = records(run("--json", "--total=2").stdout)
    assert (found["protocol"]["pictures"], found["protocol"]["options"]["edits"]) == (4, 2)


def test_another_judge_may_look_and_one_that_sees_nothing_new_scores_zero(world: Path) -> None:
    (found,) = records(run("--json", "--with=edit=./other.t2i").stdout)
    assert found["value"] == 0


def test_a_table_has_a_row_a_part(world: Path) -> None:
    first, head, *rows = run().stdout.splitlines()
    assert first.startswith("edit 1.0000")
    assert head.split()[:2] == ["part", "share"]
    assert any(row.startswith("stayed outside") for row in rows)


def test_wrong_orders_are_refused_with_a_hint(world: Path) -> None:
    (world / "mine.txt").write_text("a bird\n", encoding="utf-8")
    assert "captions of its own" in failed(run("--captions=mine.txt"), status=2)
    (world / "pictures").mkdir()
    said = failed(CliRunner().invoke(app, ["edit", "pictures"]), status=2)
    assert "edit draws captions before and after, which pictures cannot do" in said
    (world / "birds-parts.t2i" / "image.onnx").write_bytes(b"")
    assert "image.onnx" in failed(run())
    assert METRICS["edit"].definition.count("8 levels") == 1
