"""One file draws what its bundle draws, with nothing left to the host."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from bundles import (
    LENGTH,
    WORDS,
    Z,
    file,
    manifest,
    save_manifest,
    write_tiny_bundle,
)
from commands import differ
from house.tree import ROOT
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from t2i.export import host_nodes, single_file
from t2i.export.cli import app
from t2i.export.host_nodes import Nodes
from t2i.runtime import noise, places
from t2i.runtime.bundle import Bundle, Manifest, Noise, Text
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import ExportError, TextError
from t2i.runtime.text import Tokenizer, character_tokenizer, word_tokenizer

ODD = [
    "A RED Bird, with (black) wings!",
    "a\tred\nbird",
    "naïve rouge ÉTÉ red",
    "blac\u212a red",  # the Kelvin sign, which is no K
    "红色的鸟 bird",
    "a zyzzyva is a red bird",
    "red " * 40,
    "emu " * 9 + "red " * 40,
    "b" * 3000 + " bird",
    "under_score red7 red",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles"))


def run(path: Path, captions: Sequence[str], seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """As a program does that knows nothing of this package."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    feeds = {"caption": np.array(captions, dtype=object), "seed": np.array(seeds)}
    return dict(zip(names, session.run(names, feeds), strict=True))


def written(bundle: Path, **how: Any) -> Path:
    path = bundle.parent / f"{bundle.stem}.onnx"
    single_file.write(Bundle.load(bundle), path, **how)
    return path


def started(
    nodes: Nodes, inputs: Mapping[str, int], outputs: Mapping[str, int]
) -> onnxruntime.InferenceSession:
    """A session of these nodes alone."""
    given = [helper.make_tensor_value_info(*each, ["B"]) for each in inputs.items()]
    wanted = [helper.make_tensor_value_info(*each, None) for each in outputs.items()]
    graph = helper.make_graph(nodes.nodes, "nodes", given, wanted, nodes.constants)
    domains = {"": 18, "com.microsoft": 1, "ai.onnx.ml": 2}
    opsets = [helper.make_opsetid(*each) for each in domains.items()]
    model = helper.make_model(graph, ir_version=10, opset_imports=opsets)
    return onnxruntime.InferenceSession(model.SerializeToString())


def changed(folder: Path, change: Callable[[Manifest], Manifest], tokenizer: bytes) -> Path:
    """A tiny bundle that reads otherwise."""
    bundle = write_tiny_bundle(folder)
    (bundle / "tokenizer.json").write_bytes(tokenizer)
    about = manifest(bundle)
    assert about.text
    text = replace(about.text, sha256=file(bundle, "tokenizer.json").sha256)
    save_manifest(bundle, change(replace(about, text=text)))
    return bundle


@pytest.fixture(scope="module")
def tiny_file(tiny: Path) -> Path:
    return written(tiny, attention=True)


def test_odd_captions_draw_what_the_bundle_draws(tiny: Path, tiny_file: Path) -> None:
    painter = load(tiny, device="cpu", threads=1)
    drawn = run(tiny_file, ODD, range(3, 3 + len(ODD)))
    assert differ(drawn["image"], painter.draw(ODD, seed=3)) <= 1
    readings = [painter.read(caption) for caption in ODD]
    assert drawn["known"].tolist() == [len(each.tokens) for each in readings]
    for row, reading in zip(drawn["said"], readings, strict=True):
        assert tuple(row[: len(reading.words)]) == reading.words
        assert set(row[len(reading.words) :]) <= {""}


@pytest.mark.parametrize(("level", "threads"), [("ORT_DISABLE_ALL", 1), ("ORT_ENABLE_ALL", 2)])
def test_neither_optimisation_nor_threads_change_a_picture(
    level: str, threads: int, tiny: Path, tiny_file: Path
) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(tiny_file, options)
    feeds = {"caption": np.array(["A red BIRD"], dtype=object), "seed": np.array([7])}
    (image,) = session.run(["image"], feeds)
    wanted = load(tiny, device="cpu", threads=1).draw(["a red bird"], seed=7)
    assert differ(image, wanted) <= 1


def test_words_that_are_not_known_are_counted(tiny_file: Path) -> None:
    drawn = run(tiny_file, ["an emu and an ostrich", "red emu", "red bird"], [0, 0, 0])
    assert drawn["known"].tolist() == [1, 1, 2]
    assert drawn["unknown"].tolist() == [4, 1, 0]


@pytest.mark.parametrize("nothing", ["", " ,.;", "emu", "ÉÉÉ", "\n"])
def test_a_caption_of_nothing_known_says_so_and_leaves_its_neighbours(
    nothing: str, tiny: Path, tiny_file: Path
) -> None:
    alone = run(tiny_file, [nothing], [5])
    assert alone["known"].tolist() == [0]
    assert (alone["image"] == 255).all()
    together = run(tiny_file, [nothing, "a red bird"], [5, 6])
    assert (together["image"][0] == 255).all()
    wanted = load(tiny, device="cpu", threads=1).draw(["a red bird"], seed=6)
    assert differ(together["image"][1], wanted[0]) <= 1


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**38 - 1])
def test_noise_of_any_seed_is_the_runtimes(seed: int, tiny: Path, tiny_file: Path) -> None:
    wanted = load(tiny, device="cpu", threads=1).draw(["a red bird"], seed=seed)
    assert differ(run(tiny_file, ["a red bird"], [seed])["image"], wanted) <= 1


def test_uniform_noise_and_noise_of_several_axes_are_the_runtimes() -> None:
    inputs = (Noise("noise", (Z,)), Noise("grain", (3, 2, 2), "uniform"), Noise("detail", (5,)))
    nodes = Nodes()
    drawn = dict.fromkeys(host_nodes.draw(nodes, inputs), TensorProto.FLOAT)
    seeds = np.array([0, 7, 2**38 - 1])
    found = started(nodes, {"seed": TensorProto.INT64}, drawn).run(None, {"seed": seeds})
    for wanted, values in zip(noise.draw(seeds, inputs).values(), found, strict=True):
        np.testing.assert_allclose(values, wanted, rtol=2e-7, atol=1e-7)


def test_a_bundle_that_keeps_unknown_words_and_truncates(tmp_path: Path) -> None:
    def keep(about: Manifest) -> Manifest:
        assert about.text
        return replace(about, text=replace(about.text, unknown="keep"), pixels="truncate")

    bundle = changed(tmp_path, keep, word_tokenizer(WORDS))
    captions = [*ODD[:-4], "emu red emu"]
    painter = load(bundle, device="cpu", threads=1)
    drawn = run(written(bundle), captions, range(len(captions)))
    assert differ(drawn["image"], painter.draw(captions)) <= 1
    assert (drawn["known"][-1], drawn["unknown"][-1]) == (1, 2)
    # All that the network reads of this caption is unknown, so the bundle refuses it.
    with pytest.raises(TextError):
        painter.read("emu " * LENGTH + "red")
    assert run(written(bundle), ["emu " * LENGTH + "red"], [0])["known"] == 0


def test_a_bundle_that_draws_classes_takes_their_names(tmp_path: Path) -> None:
    names = ["Scarlet Tanager", "red", "blue bird", "Étoile"]

    def classes(about: Manifest) -> Manifest:
        assert about.text
        text = replace(about.text, length=1)
        return replace(about, text=text, condition="class", classes=tuple(names))

    bundle = changed(tmp_path, classes, word_tokenizer(names, whole=True))
    asked = ["scarlet TANAGER", " \t\u3000red\n", "blue bird", "étoile"]
    drawn = run(written(bundle), asked, range(4))
    assert differ(drawn["image"], load(bundle, device="cpu", threads=1).draw(asked)) <= 1
    assert drawn["known"].tolist() == [1] * 4
    assert (
        run(written(bundle), ["a red bird", "blue  bird", ""], [0] * 3)["known"].tolist() == [0] * 3
    )


def test_characters_are_read_as_the_runtime_reads_them() -> None:
    text = Text("tokenizer.json", "0" * 64, LENGTH, "keep")
    tokenizer = Tokenizer.from_json(character_tokenizer(), text)
    nodes = Nodes()
    host_nodes.read(nodes, tokenizer)
    outputs = dict.fromkeys(["tokens", "known", "unknown"], TensorProto.INT64)
    session = started(nodes, {"caption": TensorProto.STRING}, outputs)
    captions = ["A red\nbird, É!", "blac\u212a \U0001f426", " x ", "y" * 30, " " * 20 + "x"]
    tokens, known, unknown = session.run(None, {"caption": np.array(captions, dtype=object)})
    assert (tokens[:-1] == tokenizer.encode(captions[:-1])).all()
    assert known.tolist() == [9, 4, 1, LENGTH, 0]
    assert unknown.tolist() == [1, 2, 0, 0, 0]
    with pytest.raises(TextError):
        tokenizer.read(captions[-1])


def test_the_file_says_what_it_is(tiny: Path, tiny_file: Path) -> None:
    session = onnxruntime.InferenceSession(tiny_file)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["t2i.manifest"]) == json.loads((tiny / "manifest.json").read_text())
    assert about["t2i.reads"] == "caption"
    described = [(each.name, each.type, each.shape) for each in session.get_inputs()]
    assert described == [("caption", "tensor(string)", ["B"]), ("seed", "tensor(int64)", ["B"])]
    model = onnx.load(tiny_file)
    assert model.ir_version == 10
    assert not [each for each in model.graph.node if "image_8" in [*each.output]]


def test_a_file_that_draws_other_pictures_is_not_written(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Painter.draw
    monkeypatch.setattr(Painter, "draw", lambda *args, **how: drawn(*args, **how) ^ 64)
    with pytest.raises(ExportError, match="draws other pictures"):
        single_file.write(Bundle.load(tiny), tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "why"),
    [("birds-features", "'features' bundle"), ("birds-clip", "'score' bundle")],
)
def test_what_cannot_be_one_file_says_why(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=why) as refused:
        single_file.write(Bundle.load(places.find(name)), tmp_path / "x.onnx")
    assert "docs/bundle.md" in refused.value.hint


def test_a_bundle_without_attention_has_none_to_show(tiny: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(tiny)
    generator = bundle.graph("generator")
    mute = replace(generator, outputs=generator.outputs[:1])
    about = replace(bundle.manifest, graphs=(bundle.graph("text"), mute))
    with pytest.raises(ExportError, match="has no attention"):
        single_file.write(replace(bundle, manifest=about), tmp_path / "x.onnx", attention=True)


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_command_makes_a_file_of_a_bundle(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "birds.onnx"
    done = typed(f"--bundle={tiny}", "--single-file", f"--out={out}")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"wrote {out} (")
    again = typed(f"--bundle={tiny}", "--single-file", f"--out={out}")
    assert again.exit_code == 1
    assert "--force" in again.stderr
    done = typed(f"--bundle={tiny}", "--single-file", f"--out={out}", "--force", "--json")
    assert json.loads(done.stdout)["path"] == str(out)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--bundle=birds"],
        ["attngan", "--bundle=birds", "--single-file"],
        ["--bundle=birds", "--single-file", "--fp16"],
        ["--bundle=birds", "--single-file", "--save-weights=birds.safetensors"],
        ["attngan", "--attention"],
        [],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(wrong: list[str]) -> None:
    done = typed(*wrong)
    assert done.exit_code == 2, done.output
    assert " hint: " in done.stderr


@pytest.mark.slow
def test_a_bundle_becomes_one_file_where_torch_is_not_installed(tiny: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from t2i.export.cli import app; app()"
    order = [f"--bundle={tiny}", "--single-file", f"--out={tmp_path / 'tiny.onnx'}"]
    command = [sys.executable, "-c", code, *order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tiny.onnx").is_file()


@pytest.mark.slow
def test_the_bundle_that_ships_becomes_the_file_of_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = typed("--bundle=birds", "--single-file")
    assert done.exit_code == 0, done.output
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```py\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    wanted = load("birds", device="cpu", threads=1).draw(["a red bird"], seed=7)
    assert differ(names["image"], wanted) <= 1
    assert (names["known"], names["unknown"]) == (3, 0)


@pytest.mark.slow
def test_a_run_becomes_one_file_and_no_bundle(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from untrained import write_run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2I_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("t2i.export.publish.export", lambda request: Bundle.load(tiny))
    write_run(tmp_path / "runs" / "attngan" / "001-toy")
    done = typed("attngan", "--single-file", "--attention")
    assert done.exit_code == 0, done.output
    drawn = run(tmp_path / "tiny.onnx", ["a red bird"], [7])
    assert drawn["attention"].shape[:2] == (1, 3)
    assert not (tmp_path / "home").exists()
