"""Photographs whose captions were encoded elsewhere: their vectors come from a file."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2i.runtime.embeddings import Embeddings, Vector
from t2i.runtime.errors import DataError
from t2i.runtime.text import words_of
from t2i.train.data.batch import Batch, Item
from t2i.train.data.dataset import Dataset
from t2i.train.data.photographs import Photograph, Photographs
from t2i.train.files import sha256


class Encoded(Dataset):
    """Photographs with a vector beside each caption; all vectors are held in memory."""

    def __init__(self, pictures: Photographs, file: Path) -> None:
        """
        Raises:
            DataError: a caption has no vector, or vectors differ in size.
        """
        super().__init__(pictures.settings, pictures.tokenizer, pictures.classes)
        self.pictures = pictures
        self.file = file
        self.vectors = vectors_of((*pictures.collection.train, *pictures.collection.held_out), file)

    def __len__(self) -> int:
        return len(self.pictures)

    def item(self, index: int, visit_seed: int) -> Item:
        item = self.pictures.item(index, visit_seed)
        return replace(item, vector=self.vector(item.caption))

    def fixed(self, count: int) -> Batch:
        batch = self.pictures.fixed(count)
        return replace(batch, vectors=torch.stack([self.vector(each) for each in batch.captions]))

    def vector(self, caption: str) -> Tensor:
        return torch.from_numpy(self.vectors[caption])

    def describe(self) -> dict[str, Any]:
        made = {"condition": "vector", "embeddings": sha256(self.file)}
        return {**self.pictures.describe(), **made}

    @property
    def vector_size(self) -> int:
        return len(next(iter(self.vectors.values())))


def vectors_of(photographs: Iterable[Photograph], file: Path) -> dict[str, Vector]:
    """The vector of each caption that says something.

    Raises:
        DataError: one has none, or vectors differ in size.
    """
    embeddings = Embeddings(file)
    said = {text for each in photographs for text in each.captions if words_of(text)}
    found = {caption: embeddings.get(caption) for caption in sorted(said)}
    vectors = {caption: vector for caption, vector in found.items() if vector is not None}
    if missing := [caption for caption in found if caption not in vectors]:
        raise DataError(
            f"{len(missing):,} of {len(found):,} captions have no vector in {file}, such as "
            f"{missing[0][:80]!r}",
            hint="encode every caption, and save its vector under the caption, letter for letter",
        )
    sizes = sorted({len(vector) for vector in vectors.values()})
    if len(sizes) > 1:
        raise DataError(
            f"{file} holds vectors of {sizes[0]} numbers and of {sizes[-1]}",
            hint="encode all captions in the same way",
        )
    return vectors
