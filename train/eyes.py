"""What compares pictures in a recipe: the judge of drawn birds, VGG-16, or nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import torch

from t2i.runtime.errors import UsageError
from t2i.train import data
from t2i.train.perceptual import FrozenJudge
from t2i.train.prerequisites import Needed
from t2i.train.recipes import judge
from t2i.train.vgg import FrozenVgg

Eye = FrozenJudge | FrozenVgg


class Settings(Protocol):
    """What a recipe that compares pictures says of it."""

    @property
    def data(self) -> data.Settings: ...
    @property
    def features(self) -> Literal["judge", "vgg"] | None: ...
    @property
    def vgg(self) -> str | None: ...


def needed_judge(settings: Settings) -> judge.Settings | None:
    """The judge that must be trained before; None where none is asked.

    Raises:
        UsageError: what is to compare pictures is not there, or cannot.
    """
    if settings.features == "vgg" and settings.vgg is None:
        raise UsageError(
            "VGG-16 is to compare pictures, and no file of its weights is named",
            hint="--set vgg=FILE (torchvision's, .safetensors), or --set features=none",
        )
    if settings.features != "judge":
        return None
    if settings.data.kind != "birds":
        raise UsageError(
            "the judge that is to compare pictures knows drawn birds alone",
            hint="--set features=vgg --set vgg=FILE, or --set features=none",
        )
    return judge.PRESETS["perceptual"]


def eye_of(settings: Settings, needs: Mapping[str, Needed], device: torch.device) -> Eye | None:
    """What compares pictures."""
    if settings.features == "judge":
        return FrozenJudge(needs["judge"], device)
    if settings.features == "vgg":
        assert settings.vgg is not None, "needed_judge has refused this"
        return FrozenVgg(Path(settings.vgg), device)
    return None
