"""The proof is replayed as it was written, and a false one is found."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from bundles import manifest, save_manifest

from t2i.runtime.draw import load
from t2i.runtime.errors import BundleError
from t2i.runtime.proof import SelfTest, read_arrays

Arrays = dict[str, npt.NDArray[Any]]


def npz(arrays: Arrays) -> bytes:
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def selftest(bundle: Path, change: Callable[[Arrays], Any], **changes: Any) -> SelfTest:
    """Replay the proof after a change, under a manifest that fits it."""
    arrays = read_arrays((bundle / "proof.npz").read_bytes(), "proof.npz")
    change(arrays)
    (bundle / "proof.npz").write_bytes(npz(arrays))
    save_manifest(bundle, replace(manifest(bundle), **changes))
    return load(bundle, device="cpu").selftest()


def shift(name: str, levels: float) -> Callable[[Arrays], None]:
    """Move one value of an output."""

    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name].flat[5] += levels / 127.5

    return change


@pytest.mark.parametrize(
    "name", ["generator.out.image", "generator.out.attention_1", "text.out.sentence"]
)
def test_a_difference_is_measured_in_levels(own_bundle: Path, name: str) -> None:
    tested = selftest(own_bundle, shift(name, 3.0))
    assert not tested.ok
    assert tested.worst_levels == pytest.approx(3.0, abs=0.01)


def test_the_tolerance_is_the_manifests_but_at_least_one_level(own_bundle: Path) -> None:
    wide = replace(manifest(own_bundle).check, tolerance=4 / 127.5)
    tested = selftest(own_bundle, shift("generator.out.image", 3.0), check=wide)
    assert tested.ok
    assert tested.tolerance == pytest.approx(4.0)


def test_single_pixels_may_stray_in_fp16(own_bundle: Path) -> None:
    assert selftest(own_bundle, shift("generator.out.image", 30.0), precision="fp16").ok


def test_what_is_not_a_number_fails(own_bundle: Path) -> None:
    tested = selftest(own_bundle, shift("generator.out.image", float("nan")))
    assert tested.worst_levels == float("inf")
    assert not tested.ok


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("generator.in.noise"),
        lambda arrays: arrays.update({"text.in.other": np.zeros(1)}),
        lambda arrays: arrays.update({"text.out.other": np.zeros(1)}),
        lambda arrays: arrays.update({"text.out.sentence": np.zeros((2, 1))}),
        lambda arrays: arrays.update({"text.in.tokens": np.zeros((2, 3), np.int32)}),
        lambda arrays: arrays.clear(),
    ],
)
def test_a_proof_that_fits_no_graph_is_an_error(
    own_bundle: Path, change: Callable[[Arrays], Any]
) -> None:
    with pytest.raises(BundleError) as caught:
        selftest(own_bundle, change)
    assert caught.value.hint


# Reading arrays of a stranger


def test_arrays_are_read_as_numpy_writes_them() -> None:
    rows = np.arange(6).reshape(2, 3)
    arrays = {"a": rows, "columns": rows.T, "b.in.c": np.array(True), "d": np.zeros((0, 3))}
    read = read_arrays(npz(arrays), "p")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)


def packed(header: bytes, body: bytes = b"") -> bytes:
    """An archive of one array whose header says what it likes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        padded = header.ljust(117) + b"\n"
        size = len(padded).to_bytes(2, "little")
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + size + padded + body)
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        npz({"a": np.zeros(3)})[:-30],
        npz({"a": np.array([{"an": "object"}])}),
        npz({"a": np.array(["text"])}),
        packed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,)}"),
        packed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"),
        packed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        packed(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cos\nsystem\n."),
        packed(b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", bytes(4)),
        packed(b"("),
        packed(b"__import__('os')"),
    ],
)
def test_odd_arrays_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"p\.npz is damaged"):
        read_arrays(data, "p.npz")


def test_arrays_that_would_fill_the_memory_are_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("t2i.runtime.proof.PROOF_BYTES", 1000)
    with pytest.raises(BundleError, match="too large"):
        read_arrays(npz({"a": np.zeros(1000)}), "p.npz")
