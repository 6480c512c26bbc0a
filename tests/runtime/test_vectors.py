"""Bundles that read no captions: a file gives the vector of each caption, and misses are named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import (
    IMAGE,
    NOISE,
    PX,
    SENTENCE,
    E,
    Z,
    bare,
    file,
    graph,
    model,
    save_manifest,
)
from commands import failed, names, records
from onnx import helper
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime import rules
from t2i.runtime.bundle import Bundle, Noise, Tensor
from t2i.runtime.cli.run import app
from t2i.runtime.errors import DataError, TextError, UsageError

CAPTIONS = ("a red bird", "A bird, unheard of: zyx!", "blue")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def mute(own_bundle: Path) -> Path:
    """A bundle whose pictures are a linear map of noise and vector."""
    spread = np.random.default_rng(0).normal(size=(Z + E, 3 * PX * PX)).astype(np.float32)
    nodes = [
        helper.make_node("Concat", ["noise", "sentence"], ["both"], axis=1),
        helper.make_node("MatMul", ["both", "spread"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["map"]),
        helper.make_node("Tanh", ["map"], ["image"]),
    ]
    weights = {"spread": spread, "shape": np.array([-1, 3, PX, PX])}
    made = model("generator", nodes, weights, (NOISE, SENTENCE), (IMAGE,))
    (own_bundle / "generator.onnx").write_bytes(made.SerializeToString())
    (own_bundle / "text.onnx").unlink()
    arrays = {
        "generator.in.noise": np.zeros((2, Z), np.float32),
        "generator.in.sentence": np.zeros((2, E), np.float32),
        "generator.out.image": np.zeros((2, 3, PX, PX), np.float32),
    }
    np.savez(own_bundle / "proof.npz", **arrays)
    about = replace(
        bare(own_bundle, "mute"),
        condition="vector",
        text=None,
        noise=(Noise("noise", (Z,)),),
        graphs=(graph(own_bundle, "generator", (NOISE, SENTENCE), (IMAGE,)),),
        proof=file(own_bundle, "proof.npz"),
    )
    save_manifest(own_bundle, about)
    return own_bundle


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    return save(tmp_path / "vectors.npz", *CAPTIONS)


def save(path: Path, *captions: str, size: int = E, scale: float = 1.0) -> Path:
    random = np.random.default_rng(len(captions))
    np.savez(path, **{text: scale * random.normal(size=size) for text in captions})
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--device=cpu", "--threads=1"])


def test_the_vector_of_a_caption_decides_its_picture(mute: Path, vectors: Path) -> None:
    painter = t2i.load(mute, device="cpu", threads=1, embeddings=vectors)
    first, second, third = painter.draw(CAPTIONS, seed=3)
    assert np.array_equal(painter.draw([CAPTIONS[1]], seed=4)[0], second)
    assert (painter.draw([CAPTIONS[1]], seed=3)[0] != first).any()
    assert painter.selftest().ok
    other = t2i.load(
        mute, device="cpu", embeddings=save(vectors.with_name("w.npz"), *CAPTIONS, scale=-1.0)
    )
    assert (other.draw(CAPTIONS, seed=3)[2] != third).any()


def test_a_caption_without_a_vector_is_an_error_that_names_it(mute: Path, vectors: Path) -> None:
    painter = t2i.load(mute, device="cpu", embeddings=vectors)
    with pytest.raises(TextError, match="no vector of 'a bird, un") as caught:
        painter.draw(["a red bird", CAPTIONS[1].lower()])
    assert "letter for letter" in caught.value.hint


def test_vectors_of_another_size_are_refused(mute: Path, tmp_path: Path) -> None:
    painter = t2i.load(mute, device="cpu", embeddings=save(tmp_path / "v.npz", "red", size=E + 1))
    with pytest.raises(DataError, match=rf"has {E + 1} numbers, and this bundle takes {E}"):
        painter("red")


def test_a_file_of_vectors_is_asked_for_where_it_is_needed_and_only_there(
    mute: Path, vectors: Path, tiny_bundle: Path
) -> None:
    with pytest.raises(UsageError, match="mute reads no captions") as caught:
        t2i.load(mute)
    assert "--embeddings" in caught.value.hint
    with pytest.raises(UsageError, match="tiny reads captions itself"):
        t2i.load(tiny_bundle, embeddings=vectors)
    assert "reads no captions" in failed(run("a red bird", "--model", mute), status=2)


def test_the_command_line_draws_vectors(mute: Path, vectors: Path, here: Path) -> None:
    order = ("--model", mute, "--embeddings", vectors)
    done = run(*CAPTIONS, *order, "--json")
    assert done.exit_code == 0, done.output
    assert [each["words"] for each in records(done.stdout)] == [[text] for text in CAPTIONS]
    assert len(names(here)) == len(CAPTIONS)
    assert "no vector of 'a green bird'" in failed(run("a green bird", *order))
    assert "there is no file" in failed(run("blue", "--model", mute, "--embeddings", "none.npz"))
    assert run("--model", mute, "--selftest").exit_code == 0


def test_a_folder_goes_on_with_the_same_vectors_only(mute: Path, vectors: Path, here: Path) -> None:
    Path("lines.txt").write_text("a red bird\nnothing known\nblue\n", encoding="utf-8")
    order = ("--captions", "lines.txt", "--out", "birds", "--model", mute, "--embeddings", vectors)
    assert "1 of 3 captions" in failed(run(*order))
    entries = [json.loads(line) for line in Path("birds/index.jsonl").read_text().splitlines()]
    assert [each["file"] is None for each in entries] == [False, True, False]
    assert "1 of 3 captions" in failed(run(*order, "--resume"))
    save(vectors, *CAPTIONS, scale=2.0)
    assert "the vectors of its captions are others" in failed(run(*order, "--resume"))


@pytest.mark.parametrize(
    "sentence",
    [
        Tensor("sentence", "float32", ("B",)),
        Tensor("sentence", "float32", ("B", "E")),
        Tensor("sentence", "float16", ("B", E)),
        Tensor("said", "float32", ("B", E)),
    ],
)
def test_a_generator_of_vectors_says_how_large_they_are(mute: Path, sentence: Tensor) -> None:
    manifest = Bundle.load(mute).manifest
    assert list(rules.problems(manifest)) == []
    (generator,) = manifest.graphs
    wrong = replace(generator, inputs=(NOISE, sentence))
    assert any("`sentence`" in each for each in rules.problems(replace(manifest, graphs=(wrong,))))
