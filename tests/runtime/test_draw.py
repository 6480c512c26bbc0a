"""The same seed draws the same picture, whoever else is drawn and however many threads run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import numpy.typing as npt
import pytest
from bundles import PX, manifest, save_manifest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import t2i
from t2i.runtime.bundle import Bundle
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import BundleError, TextError, UsageError
from t2i.runtime.text import word_tokenizer

CAPTIONS = [
    "a red bird",
    "the bird is small and yellow with black wings and a white belly",
    "blue",
    "a grey purple bird",
    "this bird has a brown head",
]


def apart(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> int:
    """Greatest difference in levels."""
    return int(np.abs(a.astype(int) - b).max())


def rewritten(bundle: Path, **changes: Any) -> Path:
    """The bundle under a manifest that fits its files as they are now, but for these changes."""
    save_manifest(bundle, replace(manifest(bundle), **changes))
    return bundle


# Seeds and company


def test_a_picture_is_square_rgb_and_its_captions(painter: Painter) -> None:
    drawn = painter.draw(CAPTIONS, seed=3)
    assert drawn.shape == (len(CAPTIONS), PX, PX, 3)
    assert drawn.dtype == np.uint8
    assert apart(drawn[0], painter.draw([CAPTIONS[2]], seed=3)[0]) > 10
    assert apart(drawn[0], painter.draw([CAPTIONS[0]], seed=4)[0]) > 10


@given(st.integers(0, 2**38 - 10), st.permutations(CAPTIONS), st.integers(1, 5))
def test_a_caption_draws_alike_alone_and_in_company(
    painter: Painter, seed: int, captions: list[str], batch_size: int
) -> None:
    together = painter.draw(captions, seed=seed, batch_size=batch_size)
    for index, caption in enumerate(captions):
        alone = painter.draw([caption], seed=seed + index)[0]
        assert apart(together[index], alone) <= 1  # another batch takes other kernels


def test_picture_3_of_seed_7_is_picture_0_of_seed_10(painter: Painter) -> None:
    same = ["a red bird"] * 4
    assert apart(painter.draw(same, seed=7)[3], painter.draw(same, seed=10)[0]) <= 1


@pytest.mark.parametrize(
    "settings",
    [{"threads": 2}, {"quick": True}, {"low_memory": True}, {"threads": 1}],
    ids=str,
)
def test_a_picture_is_the_same_under_any_settings(
    painter: Painter, tiny_bundle: Path, settings: dict[str, Any]
) -> None:
    other = load(tiny_bundle, device="cpu", **settings)
    assert apart(other.draw(CAPTIONS, seed=5), painter.draw(CAPTIONS, seed=5)) <= 1


def test_several_threads_may_share_a_painter(painter: Painter) -> None:
    jobs = [(caption, seed) for caption in CAPTIONS for seed in range(8)]
    expected = [painter.draw([caption], seed=seed) for caption, seed in jobs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: painter.draw([job[0]], seed=job[1]), jobs))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_calling_a_painter_gives_a_pillow_image(painter: Painter) -> None:
    image = painter("a red bird", seed=7)
    np.testing.assert_array_equal(np.asarray(image), painter.draw(["a red bird"], seed=7)[0])


def test_no_captions_are_no_pictures(painter: Painter) -> None:
    assert painter.draw([]).shape == (0, PX, PX, 3)


# What is beside the picture


def test_stages_and_attentions_come_with_the_picture(painter: Painter) -> None:
    assert painter.outputs == ("image", "image_8", "attention_1")
    painting = painter.paint(CAPTIONS[:2], seeds=[7, 8], outputs=("image_8", "attention_1"))
    assert apart(painting.pictures, painter.draw(CAPTIONS[:2], seed=7)) <= 1
    assert painting.stages[8].shape == (2, 8, 8, 3)
    attention = painting.attentions["attention_1"]
    longest = len(painter.read(CAPTIONS[1]).tokens)
    assert attention.shape == (2, longest, 8, 8)
    np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-5)
    assert (attention[0, len(painter.read(CAPTIONS[0]).tokens) :] == 0).all()


def test_only_what_is_asked_for_comes(painter: Painter) -> None:
    painting = painter.paint(["a red bird"], seeds=[0])
    assert painting.stages == {}
    assert painting.attentions == {}


def test_an_unknown_output_is_a_wrong_usage(painter: Painter) -> None:
    with pytest.raises(UsageError) as caught:
        painter.paint(["a red bird"], seeds=[0], outputs=["image_9"])
    assert "'image_8'" in caught.value.hint


def test_a_readings_unknown_and_surplus_words_are_told(painter: Painter) -> None:
    read = painter.read("a purple bird " + "red " * 20)
    assert read.unknown == ("purple",)
    assert read.surplus == 10


def test_a_reading_draws_like_its_caption(painter: Painter) -> None:
    read = painter.read(CAPTIONS[3])
    np.testing.assert_array_equal(
        painter.paint([read], seeds=[1]).pictures, painter.draw([CAPTIONS[3]], seed=1)
    )


# What goes wrong


@pytest.mark.parametrize("caption", ["", "🐦", "purple dodo"])
def test_a_caption_that_cannot_be_drawn_is_an_error_before_anything_is(
    painter: Painter, caption: str
) -> None:
    with pytest.raises(TextError):
        painter.draw(["a red bird", caption])


@pytest.mark.parametrize("seed", [-1, 2**38 - 1])
def test_every_seed_of_a_series_must_be_in_range(painter: Painter, seed: int) -> None:
    with pytest.raises(UsageError):
        painter.draw(["a red bird"] * 2, seed=seed)


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_a_wrong_usage(tiny_bundle: Path, threads: int) -> None:
    with pytest.raises(UsageError):
        load(tiny_bundle, threads=threads)


def test_a_bundle_that_draws_nothing_says_so(tiny_bundle: Path) -> None:
    sound = Bundle.load(tiny_bundle)
    text = sound.graph("text")
    other = replace(sound.manifest, pipeline="score", graphs=(text,))
    with pytest.raises(BundleError, match="tiny") as caught:
        Painter(replace(sound, manifest=other))
    assert "--list" in caught.value.hint


def test_a_picture_that_is_not_a_number_is_an_error(own_bundle: Path) -> None:
    model = bundles.generator_graph()
    (grow,) = (each for each in model.graph.initializer if each.name == "grow")
    grow.CopyFrom(
        numpy_helper.from_array(np.full_like(numpy_helper.to_array(grow), np.nan), "grow")
    )
    (own_bundle / "generator.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="not a number"):
        load(rewritten(own_bundle)).draw(["a red bird"])


def test_a_damaged_vocabulary_is_an_error(own_bundle: Path) -> None:
    (own_bundle / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match="tokenizer"):
        load(rewritten(own_bundle))


def test_a_bundle_in_fp16_tells_that_the_cpu_gains_nothing(own_bundle: Path) -> None:
    assert load(own_bundle, device="cpu").notes == ()
    assert "fp16" in load(rewritten(own_bundle, precision="fp16"), device="cpu").notes[0]


# Other conditions


def test_a_class_is_one_token(own_bundle: Path) -> None:
    classes = ("Black-footed Albatross", "robin")
    (own_bundle / "tokenizer.json").write_bytes(word_tokenizer(classes, whole=True))
    text = replace(bundles.manifest(own_bundle).text, length=1)
    painter = load(rewritten(own_bundle, condition="class", classes=classes, text=text))
    read = painter.read("  black-footed ALBATROSS ")
    assert read.tokens == (1,)
    assert painter.draw(["robin"]).shape == (1, PX, PX, 3)
    with pytest.raises(TextError) as caught:
        painter.draw(["robbin"])
    assert "'robin'" in caught.value.hint


def test_a_bundle_without_condition_draws_from_noise_alone(own_bundle: Path) -> None:
    node = helper.make_node("Reshape", ["noise", "shape"], ["image"])
    shape = numpy_helper.from_array(np.array([0, 3, 4, 4]), "shape")
    inputs = (bundles.Tensor("noise", "float32", ("B", 48)),)
    image = replace(bundles.IMAGE, shape=("B", 3, 4, 4))
    model = bundles.model(
        "generator", [node], {"shape": numpy_helper.to_array(shape)}, inputs, (image,)
    )
    (own_bundle / "generator.onnx").write_bytes(model.SerializeToString())
    graphs = (bundles.graph(own_bundle, "generator", inputs, (image,)),)
    rewritten(
        own_bundle,
        condition="none",
        text=None,
        graphs=graphs,
        image_px=4,
        noise=(bundles.Noise("noise", (48,)),),
    )
    assert load(own_bundle).draw(["anything", ""], seed=1).shape == (2, 4, 4, 3)


# The proof


def test_the_proof_holds_here(painter: Painter) -> None:
    tested = painter.selftest()
    assert tested.ok
    assert tested.worst_levels < 0.01
    assert tested.tolerance == 1.0


def test_the_public_names_lead_here(tiny_bundle: Path) -> None:
    assert t2i.load is load
    assert isinstance(t2i.load(str(tiny_bundle)), t2i.Painter)
