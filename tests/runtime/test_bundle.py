"""A bundle is a stranger's file: it is sound, or it is a BundleError with a hint."""

import copy
import hashlib
import json
import os
import random
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bundles import IMAGE, problem, refused, save_manifest, zipped

from t2i.runtime import records, rules
from t2i.runtime.bundle import SCHEMA, Bundle, File, Manifest, Noise, Tensor, read_manifest
from t2i.runtime.draw import Painter
from t2i.runtime.errors import BundleError

Json = dict[str, Any]


def manifest_of(bundle: Path) -> Json:
    contents: Json = json.loads((bundle / "manifest.json").read_bytes())
    return contents


def republish(bundle: Path, change: Callable[[Json], object]) -> None:
    contents = manifest_of(bundle)
    change(contents)
    (bundle / "manifest.json").write_text(json.dumps(contents), encoding="utf-8")


# What is sound


def test_a_folder_and_its_zip_are_the_same_bundle(own_bundle: Path) -> None:
    folder = Bundle.load(own_bundle)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        archive = Bundle.load(zipped(own_bundle, method))
        assert archive.manifest == folder.manifest
        assert archive.sha256 == folder.sha256
        assert all(archive.read(name) == folder.read(name) for name in folder.files)


def test_the_hash_of_a_bundle_is_that_of_its_manifest(tiny_bundle: Path) -> None:
    expected = hashlib.sha256((tiny_bundle / "manifest.json").read_bytes()).hexdigest()
    assert Bundle.load(tiny_bundle).sha256 == expected


def test_a_manifest_survives_being_written_and_read(tiny_bundle: Path) -> None:
    manifest = Bundle.load(tiny_bundle).manifest
    assert read_manifest(records.dumps(manifest).encode(), "again") == manifest


def test_further_files_do_no_harm(own_bundle: Path) -> None:
    (own_bundle / "notes.txt").write_text("mine")
    Bundle.load(own_bundle)


# What is missing or damaged


def test_no_bundle_at_all_is_told_apart(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nothing.t2i")
    assert "has no manifest.json" in refused(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a")
    assert "is not a bundle" in refused(tmp_path / "model.onnx")


def test_every_listed_file_must_be_there_and_whole(own_bundle: Path) -> None:
    for name in Bundle.load(own_bundle).files:
        file = own_bundle / name
        data = file.read_bytes()
        file.unlink()
        assert f"has no {name}" in refused(own_bundle)
        for damaged in (data[:-1], data + b"x", bytes([data[0] ^ 1]) + data[1:]):
            file.write_bytes(damaged)
            assert name in refused(own_bundle)
        file.unlink()
        file.mkdir()
        assert name in refused(own_bundle)
        file.rmdir()
        file.write_bytes(data)
    Bundle.load(own_bundle)


def test_a_pipe_does_not_make_it_wait(own_bundle: Path) -> None:
    (own_bundle / "card.md").unlink()
    os.mkfifo(own_bundle / "card.md")
    assert "no plain file" in refused(own_bundle)


def test_a_file_that_changes_after_loading_is_noticed(own_bundle: Path) -> None:
    bundle = Bundle.load(own_bundle)
    (own_bundle / "card.md").write_text("another card, of the same bundle...")
    with pytest.raises(BundleError, match=r"card\.md"):
        bundle.read("card.md")


def test_a_newer_bundle_asks_for_an_upgrade(own_bundle: Path) -> None:
    republish(own_bundle, lambda contents: contents.update(schema=SCHEMA + 1, surprise={}))
    with pytest.raises(BundleError, match="newer version") as caught:
        Bundle.load(own_bundle)
    assert "upgrade" in caught.value.hint


# What a manifest may not say


def at(*path: str | int, to: Any) -> Callable[[Json], None]:
    """Set one value deep inside."""

    def change(contents: Any) -> None:
        for step in path[:-1]:
            contents = contents[step]
        contents[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "name",
    [
        "../proof.npz", "a/proof.npz", "a\\proof.npz", "/proof.npz", "C:proof.npz", "C:\\proof.npz",
        "", ".", "..", ".hidden", "proof.npz\0", "proof\n.npz", "-proof.npz", "manifest.json",
        "MANIFEST.JSON", "card.md", "Card.md", "generator.onnx", "x" * 101, "prüf.npz",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["proof", "preview"])
def test_a_file_name_is_plain_and_used_once(own_bundle: Path, key: str, name: str) -> None:
    republish(own_bundle, at(key, "file", to=name))
    refused(own_bundle)
    with pytest.raises(BundleError):
        Bundle.load(zipped(own_bundle))


@pytest.mark.parametrize(
    "change",
    [
        at("name", to="../x"),
        at("name", to="x\x1b[31m"),
        at("licence", to="free\x1b[2J"),
        at("pipeline", to="score"),
        at("pipeline", to="magic"),
        at("condition", to="none"),
        at("condition", to="class"),
        at("text", to=None),
        at("text", "length", to=0),
        at("text", "length", to=10**9),
        at("text", "sha256", to="0"),
        at("classes", to=["a", "a"]),
        at("noise", to=[]),
        at("noise", 0, "shape", to=[8, 1, 0]),
        at("noise", 0, "shape", to=[-8]),
        at("noise", 0, "shape", to=[2**12, 2**12, 2]),
        at("noise", 0, "shape", to=[10**30]),
        at("noise", 0, "shape", to=[9]),
        at("noise", 1, "name", to="noise"),
        at("noise", 1, "name", to="sentence"),
        at("graphs", to=[]),
        at("graphs", 0, "role", to="generator"),
        at("graphs", 0, "role", to="pixels"),
        at("graphs", 1, "file", to="text.onnx"),
        at("graphs", 1, "bytes", to=2**40),
        at("graphs", 1, "bytes", to=-1),
        at("graphs", 1, "inputs", 0, "name", to="other"),
        at("graphs", 1, "inputs", 0, "dtype", to="float64"),
        at("graphs", 1, "inputs", 0, "shape", to=[]),
        at("graphs", 1, "inputs", 2, "shape", to=["B", 7]),
        at("graphs", 1, "outputs", to=[]),
        at("graphs", 1, "outputs", 0, "name", to="picture"),
        at("graphs", 1, "outputs", 0, "dtype", to="uint8"),
        at("graphs", 1, "outputs", 1, "shape", to=["B", 1, 8, 8]),
        at("graphs", 0, "inputs", 0, "dtype", to="int32"),
        at("image_px", to=32),
        at("image_px", to=0),
        at("image_px", to=True),
        at("image_px", to=16.0),
        at("check", "batches", to=[]),
        at("check", "batches", to=[0]),
        at("check", "tolerance", to=0),
        at("check", "worst", to=-1),
        at("proof", "bytes", to=2**30),
        at("schema", to=0),
        at("schema", to="1"),
        at("unknown", to=1),
    ],
)  # fmt: skip
def test_a_manifest_that_contradicts_itself_is_refused(
    own_bundle: Path, change: Callable[[Json], None]
) -> None:
    republish(own_bundle, change)
    assert "manifest.json of own.t2i" in refused(own_bundle)


ANYTHING: list[Any] = [
    None, True, -1, 0, 1, 2**31, 10**30, 0.5, -1e300, "", "x", "../x", "\0", "\ud800", "x" * 5000,
    "B", [], [[]], {}, {"x": 1}, ["B", 3], [None], [1, 2],
]  # fmt: skip


def mutate(contents: Json, chance: random.Random) -> Json:
    """Change one thing somewhere, so that a reader has a reason to refuse it or to draw."""
    contents = copy.deepcopy(contents)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                walk(value[key])

    walk(contents)
    where, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del where[key]
        case 1 if isinstance(where, dict):
            where[f"{key}s"] = where[key]
        case 2 if isinstance(where, list):
            where.insert(chance.randrange(len(where) + 1), copy.deepcopy(where[key]))
        case _:
            where[key] = chance.choice(ANYTHING)
    return contents


def use(sound: Bundle, data: bytes) -> None:
    """Draw with a sound bundle's files and another manifest."""
    bundle = replace(sound, manifest=read_manifest(data, "mutated"))
    painter = Painter(bundle, device="cpu", threads=1)
    painter.paint(["a red bird"], seeds=[0], outputs=painter.outputs)
    painter.selftest()


@pytest.mark.slow
def test_a_thousand_mutated_manifests_are_refused_or_draw(own_bundle: Path) -> None:
    """Never a traceback: what passes all the rules must work."""
    original = manifest_of(own_bundle)
    sound = Bundle.load(own_bundle)
    chance = random.Random(0)
    refusals = 0
    for _ in range(1000):
        data = json.dumps(mutate(original, chance)).encode()
        if found := problem(use, sound, data):
            assert found.hint
            assert str(found).isprintable()
            refusals += 1
    assert refusals > 800


def test_a_thousand_manifests_of_damaged_bytes_are_refused_or_read(tiny_bundle: Path) -> None:
    original = (tiny_bundle / "manifest.json").read_bytes()
    chance = random.Random(0)
    for _ in range(1000):
        data = bytearray(original)
        place = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                del data[place:]
            case 1:
                data[place] = chance.randrange(256)
            case 2:
                del data[place : place + chance.randrange(1, 50)]
            case _:
                data[place:place] = chance.choice([b"[" * 5000, b"NaN", b"1e999", b"\xff", b'"'])
        found = problem(read_manifest, bytes(data), "damaged")
        assert not found or found.hint


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"[" * 10**6, b'{"schema":' + b"9" * 5000 + b"}", b"\xff\xfe"],
)
def test_a_manifest_that_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        read_manifest(data, "odd")


def test_a_manifest_beyond_its_size_is_not_read(own_bundle: Path) -> None:
    (own_bundle / "manifest.json").write_bytes(b" " * (rules.MANIFEST_BYTES + 1))
    assert "larger than" in refused(own_bundle)


# Rules that a tiny bundle does not reach


def test_vectors_stand_in_for_the_text_graph(tiny_bundle: Path) -> None:
    manifest = Bundle.load(tiny_bundle).manifest
    generator = manifest.graphs[1]
    kept = tuple(each for each in generator.inputs if each.name not in ("words", "mask"))
    vectors = replace(
        manifest,
        condition="vector",
        text=None,
        graphs=(replace(generator, inputs=kept),),
    )
    assert list(rules.problems(vectors)) == []
    assert list(rules.problems(replace(vectors, condition="none")))


READ = {"wing": ("red", "blue"), "facing": ("left", "right")}
FEATURES = Tensor("features", "float32", ("B", 6))
LOGITS = Tensor("attributes", "float32", ("B", 4))


def reading(bundle: Path, outputs: tuple[Tensor, ...] = (FEATURES, LOGITS)) -> Manifest:
    """What would be said of a bundle that reads four values in pictures."""
    manifest = Bundle.load(bundle).manifest
    image = replace(manifest.graphs[1], role="image", file="image.onnx")
    return replace(
        manifest,
        pipeline="features",
        condition="none",
        text=None,
        noise=(),
        graphs=(replace(image, inputs=(IMAGE,), outputs=outputs),),
        attributes=READ,
    )


def test_what_is_read_in_pictures_has_a_logit_a_value(tiny_bundle: Path) -> None:
    assert list(rules.problems(reading(tiny_bundle))) == []
    assert list(rules.problems(replace(reading(tiny_bundle, (FEATURES,)), attributes={}))) == []


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"": READ["wing"], "facing": READ["facing"]}, "a name"),
        ({"w\x1b[31ming": READ["wing"], "facing": READ["facing"]}, "a name"),
        ({"wing": ("red", "blue", "left", "right"), "facing": ()}, "'facing' has a value"),
        ({"wing": ("red", ""), "facing": READ["facing"]}, "'wing' has a value"),
        ({"wing": ("red", "b\x1blue"), "facing": READ["facing"]}, "'wing' has a value"),
        ({"wing": ("red", "red"), "facing": READ["facing"]}, "'wing' has the same value twice"),
        ({"wing": ("red", "blue", "grey"), "facing": READ["facing"]}, r"float32 \(B, 5\)"),
        ({"wing": READ["wing"]}, r"float32 \(B, 2\)"),
    ],
)
def test_attributes_and_values_have_names_of_their_own(
    tiny_bundle: Path, attributes: dict[str, tuple[str, ...]], problem: str
) -> None:
    (found,) = rules.problems(replace(reading(tiny_bundle), attributes=attributes))
    assert re.search(problem, found)
    assert found.isprintable()


@pytest.mark.parametrize(
    "outputs",
    [
        (FEATURES,),
        (FEATURES, replace(LOGITS, name="logits")),
        (FEATURES, replace(LOGITS, dtype="float16")),
        (FEATURES, replace(LOGITS, shape=("B", 4, 1))),
        (FEATURES, replace(LOGITS, shape=("B", "V"))),
    ],
)
def test_attributes_need_their_output(tiny_bundle: Path, outputs: tuple[Tensor, ...]) -> None:
    (found,) = rules.problems(reading(tiny_bundle, outputs))
    assert "no output `attributes`" in found


def test_only_the_image_graph_reads_attributes(tiny_bundle: Path) -> None:
    manifest = Bundle.load(tiny_bundle).manifest
    text, generator = manifest.graphs
    graphs = (replace(text, outputs=(*text.outputs, LOGITS)), generator)
    assert list(rules.problems(replace(manifest, graphs=graphs))) == []
    (found,) = rules.problems(replace(manifest, graphs=graphs, attributes=READ))
    assert "the image graph" in found


def test_dimensions_of_noise_are_counted_over_all_inputs(tiny_bundle: Path) -> None:
    manifest = Bundle.load(tiny_bundle).manifest
    many = tuple(Noise(f"n{index}", (2**23,)) for index in range(3))
    assert any("dimensions" in each for each in rules.problems(replace(manifest, noise=many)))


def test_a_missing_graph_is_asked_for_by_name(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="no graph 'image'"):
        Bundle.load(tiny_bundle).graph("image")


def test_optional_files_may_be_absent(own_bundle: Path) -> None:
    manifest = replace(Bundle.load(own_bundle).manifest, preview=None, card=None)
    save_manifest(own_bundle, manifest)
    (own_bundle / "card.md").unlink()
    loaded = Bundle.load(own_bundle)
    assert set(loaded.files) == {"text.onnx", "generator.onnx", "tokenizer.json", "proof.npz"}
    assert isinstance(loaded.manifest.proof, File)
