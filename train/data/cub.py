"""CUB-200-2011 with the captions of Reed et al. 2016, in the layout that these papers share.

FOLDER/CUB_200_2011/images.txt, bounding_boxes.txt, images/CLASS/NAME.jpg
FOLDER/text/CLASS/NAME.txt              ten captions, one a line
FOLDER/train/filenames.pickle, test/filenames.pickle        lists of CLASS/NAME
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from t2i.runtime.errors import DataError
from t2i.train.data import pickles
from t2i.train.data.photographs import Box, Collection, Photograph

LARGEST_BYTES = 2**20
"""Of one picture's captions."""
_LAYOUT = "give the folder that holds CUB_200_2011, text, train and test"


def collection(folder: Path) -> Collection:
    """Both splits; their classes differ, so a caption is never of a bird that was trained on.

    Raises:
        DataError: a file is missing, or says what it should not.
    """
    boxes = dict(_boxes(folder / "CUB_200_2011"))
    return Collection(
        *(
            tuple(_photograph(folder, name, boxes) for name in _names(folder, split))
            for split in ("train", "test")
        )
    )


def _names(folder: Path, split: str) -> list[str]:
    path = folder / split / "filenames.pickle"
    names = pickles.load(path)
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise DataError(f"{path} is no list of names", hint=_LAYOUT)
    for name in names:
        parts = PurePosixPath(name).parts
        if len(parts) != 2 or ".." in parts or "\\" in name or ":" in name:
            raise DataError(
                f"{path}: {name!r} is not CLASS/NAME",
                hint="take the file from where the data set is published",
            )
    return names


def _photograph(folder: Path, name: str, boxes: dict[str, Box]) -> Photograph:
    if name not in boxes:
        raise DataError(
            f"{name} has no bounding box",
            hint="take images.txt and bounding_boxes.txt from CUB_200_2011",
        )
    captions = folder / "text" / f"{name}.txt"
    number, _, words = PurePosixPath(name).parent.name.partition(".")
    return Photograph(
        path=folder / "CUB_200_2011" / "images" / f"{name}.jpg",
        captions=tuple(_lines(captions)),
        label=(words or number).replace("_", " "),
        box=boxes[name],
    )


def _boxes(folder: Path) -> Iterator[tuple[str, Box]]:
    """Name and box of every picture; the files meet in a running number."""
    names = dict(line.split(maxsplit=1) for line in _lines(folder / "images.txt"))
    for line in _lines(folder / "bounding_boxes.txt"):
        try:
            number, *sides = line.split()
            left, top, width, height = (int(float(side)) for side in sides)
            name = names[number]
        except (KeyError, ValueError, OverflowError) as error:
            raise DataError(
                f"{folder / 'bounding_boxes.txt'}: {line!r} is no box of a known picture",
                hint="take images.txt and bounding_boxes.txt from CUB_200_2011",
            ) from error
        yield name.removesuffix(".jpg"), (left, top, width, height)


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path} is too large for its purpose", hint=_LAYOUT)
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=_LAYOUT) from error
    return [line for line in text.splitlines() if line.strip()]
