"""Vectors of captions, as they were published beside the pictures of a data set.

| file | holds |
|---|---|
| `char-CNN-RNN-embeddings.pickle` | an array (K, E) a picture, named in `filenames.pickle` |
| `.t7` of StackGAN's `get_embedding.lua` | captions, and a vector (1, E) of each |

Captions of pictures lie where the official code looks for them: in `captions.pickle` beside that
list, or in text files, one a line, in `text_c10` or `text` beside its folder. Here they become what
drawing and trainings read (`runtime/embeddings.py`): one file, each vector under its caption.

Source: `datasets.py` of hanzhanggit/StackGAN and StackGAN-Pytorch, and of ypxie/HDGan.
"""

import io
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.export.official import pickles
from t2i.export.official.natures import Damaged, explained, nature_of
from t2i.export.official.pickles import StandIn
from t2i.export.official.stored import Stored
from t2i.export.official.torch7 import Torch7
from t2i.runtime.errors import ExportError

NAME = "char-CNN-RNN-embeddings.pickle"
TEXTS = ("text_c10", "text")
LARGEST_BYTES = 2**20
"""Of one picture's captions."""
FLOATS = ("f2", "f4", "f8")

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Vectors:
    """What a file holds, read picture by picture."""

    shapes: tuple[tuple[int, int], ...]
    """K and E of each picture."""
    read: Callable[[int], Array]
    """The vectors (K, E) of a picture."""
    captions: tuple[str, ...] | None = None
    """Of each "picture", where the file tells them: then it has one."""

    @property
    def size(self) -> int:
        """E."""
        return self.shapes[0][1]

    @property
    def count(self) -> int:
        """Of all pictures."""
        return sum(count for count, _ in self.shapes)

    def told(self) -> str:
        if self.captions:
            return f"vectors of {self.count:,} captions, {self.size:,} numbers each"
        return (
            f"vectors of {self.count:,} captions of {len(self.shapes):,} pictures, "
            f"{self.size:,} numbers each"
        )


@dataclass(frozen=True)
class Kept:
    """What was written."""

    path: Path
    captions: int
    """Different ones."""
    size: int
    """E."""


def read(path: Path) -> Vectors:
    """
    Raises:
        ExportError: the file holds no vectors of captions, or is damaged.
    """
    nature, found = nature_of(path), None
    with explained(path):
        if nature == "pickle":
            with path.open("rb") as file:
                found = in_pickle(pickles.load(file))
        elif nature == "torch7":
            found = in_torch7(Torch7(path))
    if found is None:
        raise ExportError(
            f"{path} holds no vectors of captions",
            hint="pass the char-CNN-RNN-embeddings.pickle of a data set, or what "
            "get_embedding.lua wrote; `t2i-export --inspect FILE` tells what a file is",
        )
    return found


def convert(path: Path, to: Path) -> Kept:
    """Write each vector of a file under its caption; the first stays where one comes again.

    Args:
        path: the file, or the folder of a data set, of which all splits are taken.

    Raises:
        ExportError: there are none, or captions are missing or do not go with them.
    """
    files = sorted(path.glob(f"*/{NAME}")) if path.is_dir() else [path]
    if not files:
        raise ExportError(
            f"there is no {NAME} in the folders of {path}",
            hint="pass the folder that holds train and test, or one such file",
        )
    written: dict[str, int] = {}
    draft = to.with_name(f".{to.name}.part")
    try:
        with zipfile.ZipFile(draft, "w") as archive:
            for file in files:
                _write(archive, file, written)
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    return Kept(to, len(written), next(iter(written.values())))


def _write(archive: zipfile.ZipFile, file: Path, written: dict[str, int]) -> None:
    """
    Args:
        written: how many numbers each caption has that is there.
    """
    vectors = read(file)
    if not {vectors.size}.issuperset(written.values()):
        raise ExportError(
            f"vectors of {file} have {vectors.size} numbers, and others have another number",
            hint="pass the folder of one data set, or one file",
        )
    for caption, vector in _pairs(file, vectors):
        # As it stands in the file, and as people type it.
        for name in {caption, caption.strip()} - written.keys():
            archive.writestr(f"{name}.npy", _npy(vector))
            written[name] = vectors.size


def _pairs(path: Path, vectors: Vectors) -> Iterator[tuple[str, Array]]:
    """Captions and their vectors; captions that have none are left out."""
    for place, captions in enumerate(_captions(path, vectors)):
        with explained(path):
            found = vectors.read(place)
            if len(captions) < len(found):
                raise Damaged(
                    f"picture {place + 1} has {len(found)} vectors, and {len(captions)} captions"
                )
            if not np.isfinite(found).all():
                raise Damaged(f"vectors of picture {place + 1} are not finite")
        yield from zip(captions, found, strict=False)


def in_pickle(value: Any) -> Vectors | None:
    """Arrays of a list, or one of three dimensions; None where it is something else.

    Raises:
        Damaged: an array is not as large as it says.
    """
    whole = _held(value)
    if whole is not None and len(whole.shape) == 3:
        pictures, count, size = whole.shape
        return Vectors(((count, size),) * pictures, lambda place: whole.numbers[place])
    held = [_held(each) for each in value] if isinstance(value, list) else []
    known = [each for each in held if each is not None and len(each.shape) in (1, 2)]
    if not known or len(known) < len(held):
        return None
    shapes = tuple((math.prod(each.shape[:-1]), each.shape[-1]) for each in known)
    if len({size for _, size in shapes}) > 1:
        raise Damaged("its vectors differ in size")
    return Vectors(shapes, lambda place: known[place].numbers.reshape(shapes[place]))


def in_torch7(source: Torch7) -> Vectors | None:
    """Texts and tensors that lie side by side; None where it is something else."""
    match source.tree:
        case {"raw_txt": dict() as texts, "fea_txt": dict() as tensors}:
            places = range(1, len(texts) + 1)
            said = [each for place in places if isinstance(each := texts.get(place), str)]
            known = [each for place in places if isinstance(each := tensors.get(place), Stored)]
            if not known or not len(said) == len(known) == len(tensors) == len(texts):
                raise Damaged("captions in it have no vectors")
            sizes = {math.prod(each.shape) for each in known}
            if len(sizes) > 1:
                raise Damaged("its vectors differ in size")

            def numbers(place: int) -> Array:
                tensor = known[place].of(source.numbers(known[place].storage))
                return tensor.reshape(1, -1).float().numpy()

            return Vectors(((1, sizes.pop()),) * len(known), numbers, tuple(said))
    return None


@dataclass(frozen=True)
class _Held:
    """An array of numpy, whose numbers a pickle holds: as text, where Python 2 wrote it."""

    shape: tuple[int, ...]
    dtype: str
    by_columns: bool
    data: str | bytes

    def __post_init__(self) -> None:
        """
        Raises:
            Damaged: there are not as many numbers as it says.
        """
        sides = all(type(side) is int and side > 0 for side in self.shape)
        if not sides or math.prod(self.shape) * np.dtype(self.dtype).itemsize != len(self.data):
            raise Damaged("an array in it is not as large as it says")

    @property
    def numbers(self) -> Array:
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        flat = np.frombuffer(data, self.dtype).astype(np.float32)
        return flat.reshape(self.shape, order="F" if self.by_columns else "C")


def _held(value: Any) -> _Held | None:
    """None where it is no array of little-endian floating-point numbers."""
    state = value.state if isinstance(value, StandIn) else None
    match state:
        case (int(), tuple(shape), StandIn() as dtype, by_columns, str() | bytes() as data):
            match dtype.given, dtype.state:
                case (str(kind), *_), (_, "<", *_) if kind in FLOATS:
                    return _Held(shape, f"<{kind}", bool(by_columns), data)
    return None


def _captions(path: Path, vectors: Vectors) -> Iterator[list[str]]:
    """Of each picture, in the order of its vectors."""
    if vectors.captions:
        yield from ([caption] for caption in vectors.captions)
        return
    listed = path.with_name("filenames.pickle")
    names = [_text(each) for each in _plain(listed)]
    if len(names) != len(vectors.shapes):
        raise ExportError(
            f"{path} has vectors of {len(vectors.shapes):,} pictures, and {listed} names "
            f"{len(names):,}",
            hint="take both from the same folder of the same data set",
        )
    find = _texts(path.parent)
    for name in names:
        if (captions := find(name)) is None:
            raise ExportError(
                f"there are no captions of {name!r} beside {path}",
                hint="complete the texts that were published with the data set",
            )
        yield captions


def _plain(path: Path) -> list[Any]:
    """A list in a pickle."""
    value = None
    if nature_of(path) == "pickle":
        with explained(path), path.open("rb") as file:
            value = pickles.load(file)
    if not isinstance(value, list):
        raise ExportError(
            f"{path} is no list of names", hint="take it from where the vectors are published"
        )
    return value


def _texts(folder: Path) -> Callable[[str], list[str] | None]:
    """Finds the captions of a picture by its name, in the layout that there is."""
    beside = folder / "captions.pickle"
    if beside.is_file():
        with explained(beside), beside.open("rb") as file:
            value = pickles.load(file)
        told = value if isinstance(value, Mapping) else {}
        by_name = {_text(name): list(map(_text, texts)) for name, texts in told.items()}
        return by_name.get
    root = next((each for name in TEXTS if (each := folder.parent / name).is_dir()), None)
    if root is None:
        raise ExportError(
            f"there are no captions for the vectors in {folder}",
            hint=f"lay out the data set as its code has it: {folder.parent / TEXTS[0]}/NAME.txt, "
            f"or {beside}",
        )
    files = {
        each.relative_to(root).with_suffix("").as_posix(): each for each in root.rglob("*.txt")
    }
    # The flowers' names have another folder than their texts.
    stems = {each.stem: each for each in files.values()}

    def find(name: str) -> list[str] | None:
        file = files.get(name) or stems.get(name.rpartition("/")[2])
        return None if file is None else _lines(file)

    return find


def _lines(file: Path) -> list[str]:
    with explained(file):
        if file.stat().st_size > LARGEST_BYTES:
            raise Damaged("it is too large for the captions of a picture")
        text = file.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.split("\n") if line]


def _text(value: Any) -> str:
    """A name or a caption, which Python 2 wrote as either kind of text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _npy(vector: Array) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(vector), (1, 0), allow_pickle=False)
    return stream.getvalue()
