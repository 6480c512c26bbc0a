"""Weights that lie beside their graphs, because they are too many for a graph to hold.

All graphs of a bundle share one file of them: what two graphs multiply by lies in it once. While an
export works, a tensor names the path of that file; in a bundle it names the file alone.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from t2i.runtime.bundle import File

FILE = "weights.data"
LEAST_BYTES = 2**18
"""Of a weight that lies beside its graph; smaller ones stay in it."""
ALIGNED = 4096  # to pages of memory: a weight can be mapped by itself


class Beside:
    """The file of weights in a folder, which is made when it gets the first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._places: dict[bytes, int] = {}

    def tensor(self, values: npt.NDArray[Any], name: str) -> TensorProto:
        """A tensor of a graph: small ones hold their values, others say where these lie."""
        if values.nbytes < LEAST_BYTES:
            return numpy_helper.from_array(values, name)
        data = values.tobytes()
        place = self._place(data)
        tensor = TensorProto(
            name=name,
            dims=values.shape,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            data_location=TensorProto.EXTERNAL,
        )
        told = {"location": str(self.path), "offset": str(place), "length": str(len(data))}
        for key, value in told.items():
            tensor.external_data.add(key=key, value=value)
        return tensor

    def take(self, model: onnx.ModelProto) -> None:
        """Let all large weights of a graph lie here, wherever they are."""
        for each in model.graph.initializer:
            if _is_beside(each) or len(each.raw_data) >= LEAST_BYTES:
                each.CopyFrom(self.tensor(values(each), each.name))

    def _place(self, data: bytes) -> int:
        """Where these bytes begin; they are written unless they are there."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._places:
            with self.path.open("ab") as file:
                file.write(bytes(-file.tell() % ALIGNED))
                self._places[digest] = file.tell()
                file.write(data)
        return self._places[digest]

    def file(self) -> File | None:
        """As a manifest names it; None where nothing lies there."""
        if not self._places:
            return None
        return File(FILE, sha256(self.path), self.path.stat().st_size)


def sha256(path: Path) -> str:
    """Of a file of weights, which never lies in memory as a whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def values(tensor: TensorProto) -> npt.NDArray[Any]:
    """What a tensor holds; what lies beside its graph is read when it is looked at."""
    if not _is_beside(tensor):
        return numpy_helper.to_array(tensor)
    told = external_data_helper.ExternalDataInfo(tensor)
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return np.memmap(told.location, dtype, "r", int(told.offset or 0), tuple(tensor.dims))


def folder(model: onnx.ModelProto) -> Path | None:
    """Where the weights beside a graph lie; None where it holds all of them."""
    for tensor in _outside(model):
        return Path(external_data_helper.ExternalDataInfo(tensor).location).parent
    return None


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """As it lies in a bundle: its tensors name the file alone, as sessions want it too."""
    if not folder(model):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in _outside(copy):
        for told in tensor.external_data:
            if told.key == "location":
                told.value = FILE
    return copy


def check(model: onnx.ModelProto) -> None:
    """As ONNX checks a graph; weights beside it, which it would look for, are inputs to it."""
    outside = list(_outside(model))
    if outside:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        inside = [each for each in copy.graph.initializer if not _is_beside(each)]
        del copy.graph.initializer[:]
        copy.graph.initializer.extend(inside)
        copy.graph.input.extend(
            helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in outside
        )
        model = copy
    onnx.checker.check_model(model, full_check=True)


def _outside(model: onnx.ModelProto) -> Iterator[TensorProto]:
    return (each for each in model.graph.initializer if _is_beside(each))


def _is_beside(tensor: TensorProto) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)
