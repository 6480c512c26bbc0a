"""Runs of a graph whose launches CUDA recorded, and repeats all at once.

A small network keeps a card waiting for the processor, which launches hundreds of kernels one by
one. Recorded launches read and write the memory that they were recorded with: each set of shapes
has inputs and outputs of its own there, which stay.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime.bundle import Graph

Arrays = dict[str, npt.NDArray[Any]]
Feeds = Mapping[str, npt.NDArray[Any]]
Repeat = Callable[[Feeds], Arrays]

MOST = 4
"""Sets of shapes whose launches are kept; others run without."""
NOT_CAPTURED = "-1"  # of `gpu_graph_id`


class Captured:
    """A session that records; several threads may ask, one after the other runs."""

    def __init__(self, runtime: Any, started: Any, graph: Graph) -> None:
        self._runtime, self._started = runtime, started
        self._graph = graph
        self._kept: dict[object, Repeat | None] = {}
        self._lock = threading.Lock()

    def run(self, feeds: Feeds, outputs: Sequence[str]) -> Arrays:
        """The named outputs, as a session gives them."""
        shapes = tuple((name, array.shape) for name, array in sorted(feeds.items()))
        key = (tuple(outputs), shapes)
        with self._lock:
            if key not in self._kept:
                return self._recorded(key, feeds, outputs)
            if repeat := self._kept[key]:
                return repeat(feeds)
            return self._plain(feeds, outputs)

    def _recorded(self, key: object, feeds: Feeds, outputs: Sequence[str]) -> Arrays:
        """The first run of some shapes. What cannot be recorded is run without from then on."""
        if len(self._kept) == MOST:
            return self._plain(feeds, outputs)
        self._kept[key] = None
        try:
            repeat = self._bind(feeds, outputs, number=len(self._kept))
            found = repeat(feeds)
        except Exception:  # noqa: BLE001  # a kernel that waits for the processor cannot be
            return self._plain(feeds, outputs)
        self._kept[key] = repeat
        return found

    def _plain(self, feeds: Feeds, outputs: Sequence[str]) -> Arrays:
        found = self._started.run(list(outputs), dict(feeds), self._options(NOT_CAPTURED))
        return dict(zip(outputs, found, strict=True))

    def _bind(self, feeds: Feeds, outputs: Sequence[str], number: int) -> Repeat:
        """What runs these shapes: its first run records."""
        value, bound = self._runtime.OrtValue, self._started.io_binding()
        given = {
            name: value.ortvalue_from_numpy(np.ascontiguousarray(array), "cuda", 0)
            for name, array in feeds.items()
        }
        for name, each in given.items():
            bound.bind_ortvalue_input(name, each)
        taken = {
            name: value.ortvalue_from_shape_and_type(shape, np.dtype(dtype), "cuda", 0)
            for name, (shape, dtype) in self._described(feeds, outputs).items()
        }
        for name, each in taken.items():
            bound.bind_ortvalue_output(name, each)
        options = self._options(str(number))

        def repeat(feeds: Feeds) -> Arrays:
            for name, array in feeds.items():
                given[name].update_inplace(np.ascontiguousarray(array))
            self._started.run_with_iobinding(bound, options)
            return {name: each.numpy() for name, each in taken.items()}

        return repeat

    def _described(self, feeds: Feeds, outputs: Sequence[str]) -> dict[str, tuple[list[int], str]]:
        """Shape and type of each output, from the sizes of what is fed."""
        sizes: dict[int | str, int] = {}
        for tensor in self._graph.inputs:
            sizes |= dict(zip(tensor.shape, feeds[tensor.name].shape, strict=True))
        return {
            each.name: ([sizes[n] if isinstance(n, str) else n for n in each.shape], each.dtype)
            for each in self._graph.outputs
            if each.name in outputs
        }

    def _options(self, number: str) -> Any:
        options = self._runtime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", number)
        return options
