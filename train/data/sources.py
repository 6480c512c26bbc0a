"""From settings to a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from t2i.runtime.errors import UsageError
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
    if settings.condition == "caption":
        return pictures
    from t2i.train.data.classes import Named

    return Named(pictures)


def _open(settings: Settings, split: Split, ready: bool) -> "Dataset":
    if settings.kind == "birds":
        from t2i.train.data.birds.dataset import Birds

        return Birds(settings, split, ready=ready)
    from t2i.train.data.photographs import Photographs

    return Photographs(settings, collection(settings), split)


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
    for name in ("words", "characters", "count", "min_word_count"):
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
    if settings.kind == "classes" and settings.condition == "caption":
        raise UsageError(
            f"the pictures in {settings.folder} have classes, but no captions",
            hint='list them in a metadata.jsonl: {"file_name": "1.png", "text": "a red bird"}',
        )
