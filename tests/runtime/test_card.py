"""What is asked of the driver, and of TensorRT."""

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from t2i.runtime import card
from t2i.runtime.card import Card


class Driver:
    """CUDA's driver, version 12.6, for one Orin."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: 100 if name == self.fails else self.answer(name, *arguments)

    def answer(self, name: str, *arguments: Any) -> int:
        if name == "cuDriverGetVersion":
            arguments[0]._obj.value = 12060
        elif name == "cuDeviceGetName":
            arguments[0].value = b"Orin"
        elif name == "cuDeviceGetAttribute":
            # The numbers of cuda.h for the compute capability.
            arguments[0]._obj.value = {75: 8, 76: 7}[arguments[1]]
        return 0


def libraries(monkeypatch: pytest.MonkeyPatch, **found: object) -> None:
    """Only these can be loaded."""

    def load(name: str) -> object:
        for start, library in found.items():
            if name.startswith((f"lib{start}.", f"nv{start}.")):
                return library
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)


def test_the_driver_tells_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    libraries(monkeypatch, cuda=Driver())
    assert card.find() == Card("Orin", "8.7", 12060)


@pytest.mark.parametrize("call", ["cuInit", "cuDeviceGet", "cuDeviceGetAttribute"])
def test_a_driver_without_a_card_is_no_card(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    libraries(monkeypatch, cuda=Driver(fails=call))
    assert card.find() is None


def test_no_driver_is_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    libraries(monkeypatch)
    assert card.find() is None


def test_tensorrt_is_asked_by_its_package_else_by_its_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.9.0.34"))
    assert card.tensorrt() == "10.9.0.34"
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    libraries(monkeypatch, nvinfer=SimpleNamespace(getInferLibVersion=lambda: 100300))
    assert card.tensorrt() == "100300"
    libraries(monkeypatch)
    assert card.tensorrt() == "none"
