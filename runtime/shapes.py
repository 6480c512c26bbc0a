"""Between which sizes an engine of TensorRT may be fed, and for which it is made."""

from dataclasses import dataclass

from t2i.runtime.bundle import Graph, Manifest

BATCHES = (1, 4, 16)
"""Sizes of batches that are worth kernels of their own; the last one is the largest."""
SMALLEST_PX, LARGEST_PX = 16, 1024  # of a picture that is looked at

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """The shapes of one input: the least, the one that is made fast, and the greatest."""

    least: Shape
    usual: Shape
    most: Shape


def profiles(
    manifest: Manifest, graph: Graph, batches: tuple[int, int, int] = (1, *BATCHES[1:])
) -> dict[str, Profile]:
    """Of each input whose shape has letters.

    Args:
        batches: the least, the usual and the greatest number of pictures.
    """
    length = manifest.text.length if manifest.text else 1
    px = (SMALLEST_PX, manifest.image_px, max(LARGEST_PX, manifest.image_px))
    sizes = {"B": batches, "T": (1, length, length), "H": px, "W": px}
    found = {}
    for each in graph.inputs:
        if any(isinstance(size, str) for size in each.shape):
            least, usual, most = (
                tuple(sizes[size][place] if isinstance(size, str) else size for size in each.shape)
                for place in range(3)
            )
            found[each.name] = Profile(least, usual, most)
    return found
