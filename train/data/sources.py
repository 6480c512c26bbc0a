"""From settings to a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from t2i.runtime.errors import DataError, UsageError
from t2i.train.data.settings import Settings, Split

if TYPE_CHECKING:
    from t2i.train.data.dataset import Dataset
    from t2i.train.data.photographs import Collection


def open(settings: Settings, split: Split = "train", *, ready: bool = True) -> "Dataset":
    """Make a data set ready: draw the birds that are not drawn yet, or read the captions.

    Args:
        ready: without it birds are drawn only when they are asked for, one by one.

    Raises:
        UsageError: the settings contradict themselves.
        DataError: the data are not what they should be.
    """
    require_sense(settings)
    pictures = _open(settings, split, ready)
    if settings.labels and len(pictures.classes) < 2:
        raise DataError(
            "classes are to be learnt, and the pictures have "
            + ("no labels" if not pictures.classes else f"only the class {pictures.classes[0]!r}"),
            hint='write one beside each: {"file_name": "1.png", "text": "…", "label": "rose"}',
        )
    if settings.condition != "class":
        return pictures
    from t2i.train.data.classes import Named

    return Named(pictures)


def _open(settings: Settings, split: Split, ready: bool) -> "Dataset":
    if settings.kind == "birds":
        from t2i.train.data.birds.dataset import Birds

        return Birds(settings, split, ready=ready)
    from t2i.train.data.photographs import Photographs

    pictures = Photographs(settings, collection(settings), split)
    if settings.condition != "vector":
        return pictures
    from t2i.train.data.vectors import Encoded

    return Encoded(pictures, Path(settings.embeddings or ""))


def collection(settings: Settings) -> "Collection":
    """The photographs that lie in a folder; where classes decide them, without their captions.

    Raises:
        DataError: its files of names and captions are missing or wrong.
    """
    from t2i.train.data import classes, cub, folder

    layouts = {"folder": folder, "cub": cub, "classes": classes}
    found = layouts[settings.kind].collection(Path(settings.folder or ""))
    return classes.labelled(found) if settings.condition == "class" else found


def require_sense(settings: Settings) -> None:
    """
    Raises:
        UsageError: the settings contradict themselves.
    """
    if not settings.px or list(settings.px) != sorted(set(settings.px)) or settings.px[0] < 1:
        raise UsageError(
            f"px = {settings.px} are no sizes of pictures",
            hint="list different positive sizes, smallest first, as in px=64,128,256",
        )
    for name in ("words", "characters", "tokens", "count", "min_word_count"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1", hint=f"pass --set {name}=1 or more")
    if not 0 < settings.captions_fraction <= 1:
        raise UsageError(
            f"captions_fraction = {settings.captions_fraction:g} is no share of the pictures",
            hint="pass more than 0, and 1 at most: --set captions_fraction=0.1",
        )
    if settings.kind != "birds" and not settings.folder:
        raise UsageError(
            f"data of kind {settings.kind!r} lie in a folder, and none is given",
            hint="pass --data FOLDER",
        )
    _require_sense_of_condition(settings)


def _require_sense_of_condition(settings: Settings) -> None:
    if settings.kind == "classes" and settings.condition != "class":
        raise UsageError(
            f"the pictures in {settings.folder} have classes, but no captions",
            hint='list them in a metadata.jsonl: {"file_name": "1.png", "text": "a red bird"}',
        )
    if settings.retold and settings.condition != "caption":
        raise UsageError(
            f"pictures are to be told twice, and a {settings.condition} is no caption",
            hint="pass --set retold=false, or --set condition=caption",
        )
    if settings.condition == "vector" and settings.kind == "birds":
        raise UsageError(
            "drawn birds are told in ever new words, which no file of vectors holds",
            hint="pass --data FOLDER, or --set condition=caption",
        )
    if settings.condition == "vector" and settings.embeddings is None:
        raise UsageError(
            "the vectors of the captions lie in a file, and none is named",
            hint="--set embeddings=FILE (.npz or .hdf5); or let captions be read: "
            "--set condition=caption",
        )
    if settings.condition != "vector" and settings.embeddings is not None:
        raise UsageError(
            f"{settings.embeddings} holds vectors, and these settings use none",
            hint="--set condition=vector, or leave out embeddings",
        )
