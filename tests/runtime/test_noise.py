"""Noise is standard, independent, and the same as a stock graph makes it."""

import math

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from t2i.runtime.bundle import Noise
from t2i.runtime.errors import UsageError
from t2i.runtime.noise import DIMENSIONS, SEEDS, draw, murmur3

Z = 100
NORMAL = [Noise("noise", (Z,))]
UNIFORM = [Noise("noise", (Z,), "uniform")]
seeds = st.integers(0, SEEDS - 1)


@pytest.fixture(scope="module")
def graph() -> onnxruntime.InferenceSession:
    """Counters to hashes and normal draws, in operators of ONNX Runtime alone."""
    constants = {"half": 0.5, "scale": 2.0**-32, "minus_two": -2.0, "two_pi": 2.0 * math.pi}
    nodes = []
    for seed in (0, 1):
        nodes += [
            helper.make_node(
                "MurmurHash3",
                ["counters"],
                [f"hash_{seed}"],
                domain="com.microsoft",
                positive=1,
                seed=seed,
            ),
            helper.make_node("Cast", [f"hash_{seed}"], [f"whole_{seed}"], to=TensorProto.DOUBLE),
            helper.make_node("Add", [f"whole_{seed}", "half"], [f"centred_{seed}"]),
            helper.make_node("Mul", [f"centred_{seed}", "scale"], [f"u_{seed}"]),
        ]
    nodes += [
        helper.make_node("Log", ["u_0"], ["log"]),
        helper.make_node("Mul", ["log", "minus_two"], ["square"]),
        helper.make_node("Sqrt", ["square"], ["radius"]),
        helper.make_node("Mul", ["u_1", "two_pi"], ["angle"]),
        helper.make_node("Cos", ["angle"], ["cosine"]),
        helper.make_node("Mul", ["radius", "cosine"], ["product"]),
        helper.make_node("Cast", ["product"], ["normal"], to=TensorProto.FLOAT),
    ]
    kinds = {
        "hash_0": TensorProto.UINT32,
        "hash_1": TensorProto.UINT32,
        "normal": TensorProto.FLOAT,
    }
    built = helper.make_graph(
        nodes,
        "noise",
        [helper.make_tensor_value_info("counters", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info(name, kind, ["N"]) for name, kind in kinds.items()],
        [
            helper.make_tensor(name, TensorProto.DOUBLE, [], [value])
            for name, value in constants.items()
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(built, ir_version=10, opset_imports=opsets)
    return onnxruntime.InferenceSession(model.SerializeToString())


def counters() -> npt.NDArray[np.int64]:
    random = np.random.default_rng(0)
    extremes = [0, 1, 2**31, 2**32 - 1, 2**32, 2**62 - 1]
    return np.concatenate([extremes, random.integers(0, 2**62, 5000), np.arange(1000)])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_hash_is_that_of_onnx_runtime(graph: onnxruntime.InferenceSession, seed: int) -> None:
    (expected,) = graph.run([f"hash_{seed}"], {"counters": counters()})
    np.testing.assert_array_equal(murmur3(counters().astype(np.uint64), seed), expected)


def test_a_stock_graph_draws_the_same_noise(graph: onnxruntime.InferenceSession) -> None:
    picture_seeds = [0, 1, 7, 10**6, SEEDS - 1]
    drawn = draw(picture_seeds, NORMAL)["noise"]
    dimensions = np.arange(Z)
    for row, seed in zip(drawn, picture_seeds, strict=True):
        (expected,) = graph.run(["normal"], {"counters": seed * DIMENSIONS + dimensions})
        # Logarithm and cosine may differ in their last bit before they are rounded to float32.
        np.testing.assert_allclose(row, expected, rtol=2e-7, atol=1e-12)


@given(seeds)
def test_a_pictures_noise_depends_on_its_seed_alone(seed: int) -> None:
    alone = draw([seed], NORMAL)["noise"]
    together = draw([(seed + 1) % SEEDS, seed, 0], NORMAL)["noise"]
    np.testing.assert_array_equal(alone[0], together[1])


def test_picture_3_of_seed_7_is_picture_0_of_seed_10() -> None:
    np.testing.assert_array_equal(
        draw(range(7, 11), NORMAL)["noise"][3], draw(range(10, 14), NORMAL)["noise"][0]
    )


@given(seeds, st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_dimensions_are_numbered_through_all_inputs(seed: int, sizes: list[int]) -> None:
    parts = draw([seed], [Noise(f"n{index}", (size,)) for index, size in enumerate(sizes)])
    whole = draw([seed], [Noise("all", (sum(sizes),))])["all"]
    np.testing.assert_array_equal(np.concatenate(list(parts.values()), axis=1), whole)


def test_a_shape_only_folds_the_same_draws() -> None:
    folded = draw([3, 4], [Noise("map", (2, 5, 10))])["map"]
    assert folded.shape == (2, 2, 5, 10)
    assert folded.dtype == np.float32
    np.testing.assert_array_equal(folded.reshape(2, 100), draw([3, 4], NORMAL)["noise"])


def test_normal_noise_is_standard_normal() -> None:
    drawn = draw(range(20_000), NORMAL)["noise"].astype(np.float64).ravel()
    assert abs(drawn.mean()) < 4 / math.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 4 * math.sqrt(2 / drawn.size)
    assert abs((drawn**3).mean()) < 4 * math.sqrt(15 / drawn.size)
    assert abs((drawn**4).mean() - 3) < 4 * math.sqrt(96 / drawn.size)
    below = np.searchsorted(np.sort(drawn), points := np.linspace(-4, 4, 801)) / drawn.size
    expected = [0.5 * (1 + math.erf(point / math.sqrt(2))) for point in points]
    # Kolmogorov and Smirnov: such a distance has a chance of one in a million.
    assert np.abs(below - expected).max() < 2.69 / math.sqrt(drawn.size)


def test_uniform_noise_is_uniform() -> None:
    drawn = draw(range(20_000), UNIFORM)["noise"].astype(np.float64).ravel()
    assert np.abs(drawn).max() <= 1
    below = np.searchsorted(np.sort(drawn), points := np.linspace(-1, 1, 801)) / drawn.size
    assert np.abs(below - (points + 1) / 2).max() < 2.69 / math.sqrt(drawn.size)


@pytest.mark.parametrize("inputs", [NORMAL, UNIFORM])
@pytest.mark.parametrize("apart", [1, 2, 256, 2**24])
def test_neighbouring_seeds_are_uncorrelated(inputs: list[Noise], apart: int) -> None:
    a = draw(range(2_000), inputs)["noise"].ravel()
    b = draw(range(apart, apart + 2_000), inputs)["noise"].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(a.size)


@pytest.mark.parametrize("inputs", [NORMAL, UNIFORM])
@pytest.mark.parametrize("apart", [1, 2, 50])
def test_neighbouring_dimensions_are_uncorrelated(inputs: list[Noise], apart: int) -> None:
    drawn = draw(range(4_000), inputs)["noise"]
    a, b = drawn[:, :-apart].ravel(), drawn[:, apart:].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(a.size)


def test_the_last_seeds_draw_too_and_differ() -> None:
    last = draw([SEEDS - 1, SEEDS - 2], NORMAL)["noise"]
    # The least that a hash can give is half of 2^-32.
    assert np.abs(last).max() < math.sqrt(-2 * math.log(2.0**-33)) + 1e-6
    assert not np.array_equal(last[0], last[1])


@pytest.mark.parametrize("seed", [-1, SEEDS, 2**64])
def test_a_seed_out_of_range_is_an_error(seed: int) -> None:
    with pytest.raises(UsageError, match=str(seed)) as caught:
        draw([0, seed], NORMAL)
    assert "2^38" in caught.value.hint
