"""Batches on their way from the data set to the networks."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from t2i.runtime.errors import T2IError
from t2i.train.data.batch import Batch
from t2i.train.settings import LoopSettings

if TYPE_CHECKING:
    from t2i.train.data.dataset import Dataset


class _Steps(torch.utils.data.Dataset["Batch | _Problem"]):
    """The batch of each step, made in a worker process."""

    def __init__(self, dataset: "Dataset", batch_size: int, seed: int) -> None:
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed

    def __getitem__(self, step: int) -> "Batch | _Problem":
        try:
            return self.dataset.batch(step, self.batch_size, self.seed)
        except T2IError as error:
            return _Problem(error)


class _Problem:
    """An error of ours on its way out of a worker process, hint included."""

    def __init__(self, error: T2IError) -> None:
        self.kind, self.message, self.hint = type(error), str(error), error.hint

    def error(self) -> T2IError:
        return self.kind(self.message, hint=self.hint)


def batches(dataset: "Dataset", settings: LoopSettings, start: int, stop: int) -> Iterator[Batch]:
    """Batches of the steps from `start` to before `stop`, in order."""
    steps = DataLoader(
        _Steps(dataset, settings.batch_size, settings.seed),
        batch_size=None,
        sampler=range(start, stop),
        num_workers=settings.workers,
        collate_fn=_unchanged,
        generator=torch.Generator(),  # else it draws from the global one, which is the recipe's
    )
    for batch in steps:
        if isinstance(batch, _Problem):
            raise batch.error()
        yield batch


def _unchanged(batch: Any) -> Any:
    return batch


def parts(batch: Batch, count: int) -> list[Batch]:
    """Cut a batch into equal parts."""
    size, rest = divmod(len(batch.tokens), count)
    assert not rest, "check_settings has refused this"
    return [_rows(batch, slice(size * part, size * (part + 1))) for part in range(count)]


def _rows(batch: Batch, rows: slice) -> Batch:
    cut: dict[str, Any] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if field.name in ("images", "unpaired"):
            cut[field.name] = tuple(image[rows] for image in value)
        elif isinstance(value, (Tensor, tuple)):
            cut[field.name] = value[rows]
    return replace(batch, **cut)
