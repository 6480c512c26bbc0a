"""Pictures told in words: the search, its errors, and the command."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from bundles import refused, save_manifest
from captioner import AFTER, LENGTH, NEXT, PX, STATE, WORDS, manifest, write_captioner
from commands import failed
from PIL import Image
from typer.testing import CliRunner, Result

from t2i.runtime import describe
from t2i.runtime.cli.run import app
from t2i.runtime.describe import Describer
from t2i.runtime.errors import BundleError

RED = np.broadcast_to(np.array([255, 0, 0], np.uint8), (PX, PX, 3))
BLUE = RED[:, :, ::-1]
ALL = 4**LENGTH
"""More beams than there are beginnings."""


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_captioner(tmp_path_factory.mktemp("captioners"))


@pytest.fixture(scope="module")
def describer(captioner: Path) -> Describer:
    return describe.load(captioner, device="cpu", threads=1)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def probability(describer: Describer, picture: np.ndarray, words: tuple[int, ...]) -> float:
    """Log-probability of a caption, word by word; one of full length need not end."""
    seen = describer._image.run({"image": describe.to_planes([picture])}, ["picture"])["picture"]
    state, last, total = np.zeros((1, 2, 5), np.float32), 0, 0.0
    for word in (*words, 0)[:LENGTH]:
        following, state = describer._next(seen, np.array([last]), state)
        total += following[0, word]
        last = word
    return total


def captions() -> list[tuple[int, ...]]:
    """All there are."""
    return [each for n in range(1, LENGTH + 1) for each in product((1, 2, 3), repeat=n)]


@pytest.mark.parametrize("picture", [RED, BLUE, RED // 2])
def test_with_all_beams_the_most_probable_caption_is_found(
    describer: Describer, picture: np.ndarray
) -> None:
    chances = {words: probability(describer, picture, words) for words in captions()}
    best = max(chances, key=lambda words: chances[words])
    words, chance = describer.search(picture, ALL)
    assert tuple(words) == best
    assert chance == pytest.approx(chances[best], abs=1e-5)


@pytest.mark.parametrize("picture", [RED, BLUE, RED // 2])
def test_one_beam_takes_the_most_probable_word_each_time(
    describer: Describer, picture: np.ndarray
) -> None:
    seen = describer._image.run({"image": describe.to_planes([picture])}, ["picture"])["picture"]
    state, word, said = np.zeros((1, 2, 5), np.float32), 0, list[int]()
    while len(said) < LENGTH:
        following, state = describer._next(seen, np.array([word]), state)
        word = int(following[0, 0 if said else 1 :].argmax()) + (0 if said else 1)
        if word == 0:
            break
        said.append(word)
    assert describer.search(picture, 1)[0].tolist() == said


def test_more_beams_find_captions_at_least_as_probable(describer: Describer) -> None:
    one, two, all_ = (describer.search(RED // 2, beams)[1] for beams in (1, 3, ALL))
    assert one <= two + 1e-9
    assert two <= all_ + 1e-9


def test_a_description_says_what_is_seen_in_known_words(describer: Describer) -> None:
    for beams in (1, 3):
        red, blue = describer(RED, beams=beams), describer(BLUE, beams=beams)
        assert (red.split()[0], blue.split()[0]) == ("red", "blue")
        for caption in (red, blue):
            assert 1 <= len(caption.split()) <= LENGTH
            assert set(caption.split()) <= set(WORDS)


def test_the_command_prints_the_caption(captioner: Path, tmp_path: Path) -> None:
    picture = tmp_path / "bird.png"
    Image.fromarray(np.ascontiguousarray(BLUE)).save(picture)
    wanted = describe.load(captioner, device="cpu")(BLUE, beams=3)
    arguments = ("--describe", picture, "--model", captioner, "--device", "cpu", "--beams", "3")
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{wanted}\n"
    assert done.stderr == "captioner · cpu\n"
    record = json.loads(run(*arguments, "--json").stdout)
    assert record == {"picture": str(picture), "caption": wanted, "bundle": "captioner"}


def test_a_picture_that_cannot_be_read_is_named(captioner: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no picture")
    assert "cannot be read as a picture" in failed(run("--describe", text, "--model", captioner))
    missing = run("--describe", tmp_path / "none.png", "--model", captioner)
    assert "does not exist" in failed(missing)


def test_a_bundle_without_a_captioner_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "bird.png"
    Image.fromarray(np.ascontiguousarray(RED)).save(picture)
    said = failed(run("--describe", picture, "--model", tiny_bundle))
    assert "tiny cannot describe pictures" in said
    assert "t2i-train stream" in said


@pytest.mark.parametrize(
    "arguments", [("a red bird", "--describe", "bird.png"), ("a red bird", "--beams", "2")]
)
def test_describing_is_not_drawing(arguments: tuple[str, ...]) -> None:
    assert "--describe tells" in failed(run(*arguments), status=2)


def test_what_cannot_be_wired_is_refused(captioner: Path, tmp_path: Path) -> None:
    bundle = write_captioner(tmp_path / "wrong")
    sound = manifest(bundle)
    image, caption = sound.graphs
    wrong = [
        replace(caption, inputs=caption.inputs[:2]),
        replace(caption, inputs=(*caption.inputs[:2], replace(STATE, shape=("B", 2, "S")))),
        replace(caption, outputs=(NEXT,)),
        replace(caption, outputs=(replace(NEXT, shape=("B", "V")), AFTER)),
        replace(caption, inputs=(replace(caption.inputs[0], shape=("B", 4)), *caption.inputs[1:])),
    ]
    for each in wrong:
        save_manifest(bundle, replace(sound, graphs=(image, each)))
        assert "caption: not from" in refused(bundle)
    save_manifest(bundle, replace(sound, text=None, condition="none"))
    assert "nothing that names its words" in refused(bundle)


def test_more_words_said_than_named_is_an_error(tmp_path: Path) -> None:
    from t2i.runtime.text import word_tokenizer

    bundle = write_captioner(tmp_path / "short")
    (bundle / "tokenizer.json").write_bytes(word_tokenizer(WORDS[:2]))
    save_manifest(bundle, manifest(bundle))
    with pytest.raises(BundleError, match="says 5 words and names 4") as caught:
        describe.load(bundle, device="cpu")
    assert caught.value.hint
