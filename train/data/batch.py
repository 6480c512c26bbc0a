"""What a training step is given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Item:
    """One picture with one of its captions."""

    images: tuple[Tensor, ...]
    """(3, px, px) in [-1, 1], smallest first."""
    tokens: tuple[int, ...]
    caption: str
    label: int = -1
    noise: tuple[float, ...] | None = None
    attributes: tuple[int, ...] | None = None
    mask: Tensor | None = None
    """(1, px, px) at the largest size."""
    vector: Tensor | None = None
    """(E,): the sentence as it was encoded elsewhere."""
    retold: tuple[int, ...] = ()
    """Tokens of another caption."""
    further: tuple["Said", ...] = ()
    """Captions of other birds."""


@dataclass(frozen=True)
class Said:
    """A caption without a picture, and what is true of its bird."""

    tokens: tuple[int, ...]
    attributes: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Several items, stacked. Shapes: B items, captions of at most T words."""

    images: tuple[Tensor, ...]
    """(B, 3, px, px) in [-1, 1], smallest first."""
    tokens: Tensor
    """(B, T) int64; 0 after the end of a caption."""
    labels: Tensor
    """(B,) int64: class ids, -1 where there are no classes."""
    captions: tuple[str, ...]
    noise: Tensor | None = None
    """(B, 26): the standard normal numbers from which a bird was drawn."""
    attributes: Tensor | None = None
    """(B, A) int64: what is true of each drawn bird."""
    mask: Tensor | None = None
    """(B, 1, px, px) at the largest size: share of each pixel that is bird."""
    vectors: Tensor | None = None
    """(B, E): the sentences as they were encoded elsewhere."""
    unpaired: tuple[Tensor, ...] = ()
    """(B, 3, px, px) in [-1, 1]: other pictures, with or without captions."""
    retold: Tensor | None = None
    """(B, T) int64: tokens of another caption of each picture."""
    further_tokens: Tensor | None = None
    """(B, F, T) int64: captions of other birds, whose pictures are not there."""
    further_attributes: Tensor | None = None
    """(B, F, A) int64: what is true of these birds."""
    step: int = 0
    """Number of the training step."""

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        return replace(
            self,
            images=tuple(image.to(device, non_blocking=True) for image in self.images),
            unpaired=tuple(image.to(device, non_blocking=True) for image in self.unpaired),
            tokens=self.tokens.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            noise=moved(self.noise),
            attributes=moved(self.attributes),
            mask=moved(self.mask),
            vectors=moved(self.vectors),
            retold=moved(self.retold),
            further_tokens=moved(self.further_tokens),
            further_attributes=moved(self.further_attributes),
        )


def collate(items: Sequence[Item], step: int = 0) -> Batch:
    """Stack items; captions are padded to the longest among them."""
    first = items[0]
    masks = [item.mask for item in items if item.mask is not None]
    vectors = [item.vector for item in items if item.vector is not None]
    retold = [item.retold for item in items if item.retold]
    tokens = padded([*(item.tokens for item in items), *retold])
    further = [said for item in items for said in item.further]
    shape = (len(items), -1)
    return Batch(
        images=tuple(
            torch.stack(sizes) for sizes in zip(*(item.images for item in items), strict=True)
        ),
        tokens=tokens[: len(items)],
        labels=torch.tensor([item.label for item in items]),
        captions=tuple(item.caption for item in items),
        noise=None if first.noise is None else torch.tensor([item.noise for item in items]),
        attributes=None
        if first.attributes is None
        else torch.tensor([item.attributes for item in items]),
        mask=torch.stack(masks) if masks else None,
        vectors=torch.stack(vectors) if vectors else None,
        retold=tokens[len(items) :] if retold else None,
        further_tokens=padded([said.tokens for said in further]).unflatten(0, shape)
        if further
        else None,
        further_attributes=torch.tensor([said.attributes for said in further]).unflatten(0, shape)
        if further
        else None,
        step=step,
    )


def padded(captions: Sequence[tuple[int, ...]]) -> Tensor:
    """Tokens of several captions (B, T), zeros after the end of the shorter ones."""
    tokens = torch.zeros((len(captions), max(map(len, captions))), dtype=torch.int64)
    for row, caption in zip(tokens, captions, strict=True):
        row[: len(caption)] = torch.tensor(caption)
    return tokens
