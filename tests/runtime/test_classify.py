"""Zero-shot classification and the probe, in a world of plain colours."""

from pathlib import Path

import numpy as np
import pytest
from commands import failed, records
from golden import cases
from judges import write_clip, write_matcher
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime.classify import Learnt, ZeroShot, ensemble, read_labels
from t2i.runtime.cli.classify import app
from t2i.runtime.errors import ScoreError
from t2i.runtime.matching import Matcher


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_clip(folder)
    write_matcher(folder)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for bundle in bundles.iterdir():
        (tmp_path / bundle.name).symlink_to(bundle)
    (tmp_path / "labels.txt").write_text("red\n\n blue \nred\ngreen\n")
    (tmp_path / "pictures").mkdir()
    for place, colour in enumerate(["red", "blue", "lime", "darkred"]):
        Image.new("RGB", (20 + place, 10), colour).save(tmp_path / "pictures" / f"{place}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--model=clip", "--threads=1", "--device=cpu"])


def found(*arguments: str) -> list[dict]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return records(result.stdout)


def best(*arguments: str) -> list[str]:
    return [record["labels"][0]["label"] for record in found(*arguments)]


def test_each_picture_is_called_by_the_nearest_label() -> None:
    assert best("pictures", "--labels=labels.txt") == ["red", "blue", "green", "red"]
    (shown,) = run("pictures/1.png", "--labels=labels.txt").stdout.splitlines()
    assert shown.startswith("pictures/1.png: blue 100.0 %, ")


def test_probabilities_are_a_softmax_of_scaled_cosines() -> None:
    """Red is (1, -1, -1) here, so red and blue have the cosine -1/3."""
    (record,) = found("pictures/0.png", "--labels=labels.txt", "--top=9")
    logits = 10 * np.array([1, -1 / 3, -1 / 3])
    shares = np.exp(logits) / np.exp(logits).sum()
    assert [each["label"] for each in record["labels"]] == ["red", "blue", "green"]
    found_shares = [each["probability"] for each in record["labels"]]
    assert found_shares == pytest.approx(shares, abs=1e-5)


def test_several_templates_are_averaged_as_directions() -> None:
    templates = ["--template={}", "--template={} green"]
    (record,) = found("pictures/0.png", "--labels=labels.txt", "--top=9", *templates)
    red, green, blue = 2 * np.eye(3) - 1
    cosines = []
    for label in (red, blue, green):
        said = np.stack([label, label + green])
        mean = (said / np.linalg.norm(said, axis=1, keepdims=True)).mean(axis=0)
        cosines.append(mean @ red / np.linalg.norm(mean) / np.linalg.norm(red))
    shares = np.exp(10 * np.array(cosines))
    wanted = dict(zip(("red", "blue", "green"), shares / shares.sum(), strict=True))
    got = {each["label"]: each["probability"] for each in record["labels"]}
    assert got == pytest.approx(wanted, abs=1e-5)


def test_a_probe_learns_from_examples_what_words_do_not_say(here: Path) -> None:
    for label, colours in {"warm": ["red", "orange", "crimson"], "cold": ["blue", "navy"]}.items():
        (here / "sorted" / label).mkdir(parents=True)
        for colour in colours:
            Image.new("RGB", (9, 9), colour).save(here / "sorted" / label / f"{colour}.png")
    assert best("pictures/0.png", "pictures/1.png", "--examples=sorted") == ["warm", "cold"]


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["pictures"], "labels, or examples", 2),
        (["pictures", "--labels=labels.txt", "--examples=x"], "labels, or examples", 2),
        (["pictures", "--labels=labels.txt", "--template=a photo"], "no place for a label", 2),
        (["pictures", "--examples=pictures", "--template={}"], "--template is for --labels", 2),
        (["pictures", "--labels=none.txt"], "none.txt cannot be read", 1),
        (["pictures", "--labels=empty.txt"], "no labels in empty.txt", 1),
        (["pictures", "--labels=pictures/0.png"], "it is no UTF-8", 1),
        (["labels.txt", "--labels=labels.txt"], "labels.txt cannot be read as a picture", 1),
        (["none.png", "--labels=labels.txt"], "none.png does not exist", 1),
        (["strip.png", "--labels=labels.txt"], "strip.png is a strip of 102 × 2 pixels", 1),
        (["pictures", "--examples=pictures"], "examples of 0 classes", 1),
    ],
)
def test_what_cannot_be_done_is_an_error(
    here: Path, arguments: list[str], message: str, status: int
) -> None:
    (here / "empty.txt").write_text(" \n\n")
    Image.new("RGB", (102, 2)).save(here / "strip.png")
    assert message in failed(run(*arguments), status)


def test_labels_are_read_to_the_last_however_many(here: Path) -> None:
    (here / "many.txt").write_text("cat\n" * 2**22 + "zebra\n")
    assert read_labels(here / "many.txt") == ("cat", "zebra")


def test_of_several_pictures_a_broken_one_is_named_and_the_others_are_classified(
    here: Path,
) -> None:
    (here / "pictures" / "2.png").write_text("no picture")
    result = run("pictures", "--labels=labels.txt", "--json")
    assert [record["file"] for record in records(result.stdout)] == [
        f"pictures/{place}.png" for place in (0, 1, 3)
    ]
    assert "1 of 4 pictures could not be read" in failed(result)


def test_a_bundle_that_learnt_no_scale_gives_no_probabilities(here: Path) -> None:
    matcher = Matcher.load("matcher", device="cpu", threads=1)
    with pytest.raises(ScoreError, match="no scale"):
        ZeroShot.of(matcher, ["red"])
    assert matcher.captions(["red"]) == pytest.approx(np.array([[1, -1, -1]]) / 3**0.5)


def test_a_probe_needs_no_scale(here: Path) -> None:
    for label in ("red", "blue"):
        (here / "two" / label).mkdir(parents=True)
        Image.new("RGB", (9, 9), label).save(here / "two" / label / "1.png")
    learnt = Learnt.of(Matcher.load("matcher", device="cpu", threads=1), here / "two")
    assert learnt.probabilities(np.array([[-1.0, -1.0, 1.0]])).argmax() == learnt.labels.index(
        "blue"
    )


def test_the_ensemble_is_the_official_one() -> None:
    """Checked from the features on; those are the networks' own golden case."""
    import torch

    from t2i.models import clip, renames
    from t2i.runtime.bundle import Text
    from t2i.runtime.bytepairs import byte_pair_tokenizer, official_merges
    from t2i.runtime.text import Tokenizer

    (case,) = (case for case in cases("clip") if case.name == "zero_shot")
    given, inputs = case.settings, case.inputs()
    sizes = clip.Settings(
        vocabulary=given["vocab_size"],
        embed_size=given["embed_dim"],
        image_px=given["image_resolution"],
        image_layers=given["vision_layers"],
        image_width=given["vision_width"],
        patch_px=given["vision_patch_size"],
        text_width=given["transformer_width"],
        text_layers=given["transformer_layers"],
    )
    network = clip.Clip(sizes).eval()
    state = {key: torch.as_tensor(value) for key, value in case.state().items()}
    renames.load(network, renames.rename(state, clip.RENAMES["clip"]))
    packed = (Path(cases.__code__.co_filename).parent / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    text = Text("tokenizer.json", "", 77, "keep")
    tokenizer = Tokenizer.from_json(byte_pair_tokenizer(official_merges(packed)), text)
    names, templates = inputs["class_names"].tolist(), inputs["templates"].tolist()
    said = [template.replace("{}", name) for name in names for template in templates]
    with torch.no_grad():
        features = network.text(torch.from_numpy(tokenizer.encode(said))).numpy()
        pictures = network.image(torch.from_numpy(inputs["image"])).numpy()
    directions = ensemble(features.reshape(len(names), len(templates), -1))
    shot = ZeroShot(tuple(names), directions, scale=100.0)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    case.check(
        {
            "classifier": directions.T,
            "logits": 100 * pictures @ directions.T,
            "probabilities": shot.probabilities(pictures),
        },
        atol=1e-3,
    )
