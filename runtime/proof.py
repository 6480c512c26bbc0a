"""The proof in a bundle: what PyTorch computed, to be computed again on the device at hand."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime.archives import AGAIN
from t2i.runtime.bundle import Bundle, Tensor
from t2i.runtime.errors import BundleError
from t2i.runtime.sessions import Arrays, Session

Array = npt.NDArray[Any]

PROOF_BYTES = 2**28  # unpacked
LEVELS = 127.5  # of 255 in one unit of pictures in [-1, 1]
# What other kernels than the exporter's may add: another processor, library, or a card.
ELSEWHERE_LEVELS = 1.0
FP16_QUANTILE = 0.999


@dataclass(frozen=True)
class SelfTest:
    """How far this device is from what PyTorch computed when the bundle was made."""

    worst_levels: float
    """Greatest difference of any output, in levels of 255."""
    tolerance: float
    """The greatest that is allowed, in the same unit."""
    ok: bool


def replay(bundle: Bundle, sessions: Mapping[str, Session]) -> SelfTest:
    """Run the proof of these graphs, by their roles.

    Raises:
        BundleError: the proof is damaged, or a graph fails on it.
    """
    arrays = read_arrays(bundle.read(bundle.manifest.proof.file), bundle.manifest.proof.file)
    worst = 0.0
    for role, session in sessions.items():
        inputs = _starting(arrays, f"{role}.in.")
        expected = _starting(arrays, f"{role}.out.")
        graph = session.graph
        axes = {each.name: batch_axis(each) for each in graph.outputs}
        if not expected or set(inputs) != {each.name for each in graph.inputs}:
            raise _does_not_fit(graph.file)
        if not axes.keys() >= set(expected):
            raise _does_not_fit(graph.file)
        found = session.run(inputs, tuple(expected))
        for name, array in expected.items():
            if array.shape != found[name].shape or not array.size:
                raise _does_not_fit(graph.file)
            far = gap(array, found[name], bundle.manifest.precision, axes[name])
            worst = max(worst, far * LEVELS)
    tolerance = max(bundle.manifest.check.tolerance * LEVELS, ELSEWHERE_LEVELS)
    return SelfTest(worst, tolerance, worst <= tolerance)


def gap(wanted: Array, found: Array, precision: str, axis: int = 0) -> float:
    """How far an output is from what it should be, in the unit of its precision's tolerance.

    The greatest difference of a number. Where graphs compute in fp16, single pixels stray: there it
    is the 99.9th percentile. int8 shifts all numbers a little: there it is the greatest distance
    from what one picture or caption should give, as a share of its length. What is not a number
    differs without bound.

    Args:
        wanted, found: of the same shape.
        axis: of the batch.
    """
    wanted, found = (np.moveaxis(each, axis, 0) for each in (wanted, found))
    differences = np.abs(found.astype(np.float64) - wanted)
    differences = np.nan_to_num(differences, nan=np.inf, posinf=np.inf)
    if precision == "int8":
        rows = len(wanted)
        lengths = np.linalg.norm(wanted.reshape(rows, -1).astype(np.float64), axis=1)
        apart = np.linalg.norm(differences.reshape(rows, -1), axis=1)
        nothing = np.where(apart > 0, np.inf, 0.0)  # what is to be zero may not differ at all
        return float(np.divide(apart, lengths, out=nothing, where=lengths > 0).max())
    quantile = FP16_QUANTILE if precision == "fp16" else 1.0
    return float(np.quantile(differences, quantile, method="higher"))


def read_arrays(data: bytes, name: str) -> Arrays:
    """Arrays of an `.npz`, without pickles and of bounded size.

    Raises:
        BundleError: it holds anything else.
    """
    import zipfile  # drawing starts sooner without it

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > PROOF_BYTES:
                raise ValueError("it is too large")
            return {
                entry.filename.removesuffix(".npy"): plain_array(archive.read(entry))
                for entry in entries
            }
    except Exception as error:
        raise BundleError(f"{name} is damaged: {error}", hint=AGAIN) from error


def plain_array(data: bytes) -> npt.NDArray[np.generic]:
    """One `.npy`: the shape that its header claims is believed only if the bytes are there.

    Raises:
        ValueError: it holds no plain numbers, or is damaged.
    """
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("its arrays are of an unknown version")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise ValueError("its arrays are not plain numbers")
    return np.frombuffer(data[stream.tell() :], dtype).reshape(
        shape, order="F" if by_columns else "C"
    )


def first_of(array: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """What belongs to the first of a batch, wherever the axis of the batch lies."""
    return array.take([0], axis=batch_axis(tensor)) if "B" in tensor.shape else array


def batch_axis(tensor: Tensor) -> int:
    """Where the axis of the batch lies; the first where there is none."""
    return tensor.shape.index("B") if "B" in tensor.shape else 0


def _starting(arrays: Arrays, start: str) -> Arrays:
    return {
        key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)
    }


def _does_not_fit(graph: str) -> BundleError:
    return BundleError(f"the proof does not fit {graph}", hint=AGAIN)
