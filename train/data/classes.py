"""Pictures called by their classes: instead of a caption there is a name, and a name is one token.

The layout of kind `classes`, a folder a class, with or without splits:

    FOLDER/train/red/1.png …  FOLDER/test/red/9.png …       or       FOLDER/red/1.png …

Without splits one picture in twenty is held out. Labels of the other kinds of data serve as well.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from t2i.runtime.errors import DataError
from t2i.runtime.pictures import ENDINGS
from t2i.runtime.runs import TextSettings
from t2i.runtime.text import class_name, word_tokenizer
from t2i.train.data.batch import Batch, Item
from t2i.train.data.dataset import Dataset
from t2i.train.data.photographs import Collection, Photograph, hold_out


class Named(Dataset):
    """Another data set whose pictures go by the names of their classes."""

    def __init__(self, pictures: Dataset) -> None:
        """
        Raises:
            DataError: there is but one class, or two that differ in capitals only.
        """
        if len(pictures.classes) < 2:
            raise DataError(
                f"all pictures are of the class {pictures.classes[0]!r}",
                hint="give pictures of two classes or more: there must be something to choose",
            )
        tokenizer = word_tokenizer(pictures.classes, whole=True)
        super().__init__(pictures.settings, tokenizer, pictures.classes)
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def item(self, index: int, visit_seed: int) -> Item:
        item = self.pictures.item(index, visit_seed)
        name = self.classes[item.label]
        return replace(item, tokens=(1 + item.label,), caption=name, retold=(), further=())

    def fixed(self, count: int) -> Batch:
        batch = self.pictures.fixed(count)
        names = tuple(self.classes[label] for label in batch.labels.tolist())
        tokens = 1 + batch.labels[:, None]
        return replace(
            batch, tokens=tokens, captions=names, further_tokens=None, further_attributes=None
        )

    def describe(self) -> dict[str, Any]:
        return {**self.pictures.describe(), "condition": "class"}

    @property
    def text(self) -> TextSettings:
        return TextSettings(length=1, unknown="drop")

    @property
    def attributes(self) -> tuple[int, ...]:
        return self.pictures.attributes


def labelled(collection: Collection) -> Collection:
    """Photographs without their captions, the held-out ones of classes that are trained on.

    Raises:
        DataError: some have no label.
    """
    everything = (*collection.train, *collection.held_out)
    without = [each.path for each in everything if not class_name(each.label or "")]
    if without:
        raise DataError(
            f"{len(without):,} of {len(everything):,} pictures have no label to learn a class "
            f"from, such as {without[0]}",
            hint='write one beside each, {"file_name": "1.png", "label": "red"}, or sort the '
            "pictures into folders, one a class",
        )
    known = {each.label for each in collection.train}
    # Whoever looks at captions finds one word at least, whatever the script of the label.
    called = {label: (f"class {label}",) for label in known}
    train, held_out = (
        tuple(replace(each, captions=called[each.label]) for each in part if each.label in known)
        for part in (collection.train, collection.held_out)
    )
    return Collection(train, held_out)


def collection(folder: Path) -> Collection:
    """The photographs of a folder of classes, with its splits.

    Raises:
        DataError: there are none.
    """
    train = folder / "train"
    if not train.is_dir():
        found = hold_out(_photographs(folder))
        return found if found.train else Collection(found.held_out, ())
    held = [each for name in ("test", "validation") if (each := folder / name).is_dir()]
    return Collection(_photographs(train), _photographs(held[0]) if held else ())


def holds_classes(folder: Path) -> bool:
    """Whether pictures lie in folders within it, and nothing else tells what they show."""
    lists = [each for split in (".", "train") for each in (folder / split).glob("metadata.*")]
    return not lists and any(_pictures(folder) or _pictures(folder / "train"))


def _photographs(folder: Path) -> tuple[Photograph, ...]:
    found = tuple(Photograph(path, (), label=path.parent.name) for path in _pictures(folder))
    if not found:
        raise DataError(
            f"{folder} holds no folders of pictures",
            hint=f"one folder a class; pictures end in {', '.join(sorted(ENDINGS))}",
        )
    return found


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.suffix.lower() in ENDINGS)
