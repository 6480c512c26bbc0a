"""Where bundles live, and how a name or a path becomes one."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from t2i.runtime.errors import BundleError, did_you_mean

SUFFIX = ".t2i"


@dataclass(frozen=True)
class Found:
    """A bundle that a name leads to."""

    name: str
    path: Path
    origin: str
    """`here` (the current folder), `yours` ($T2I_HOME/bundles), or `shipped` with the package."""


def home() -> Path:
    """The user's own folder: $T2I_HOME, else where this platform keeps such data."""
    if chosen := os.environ.get("T2I_HOME"):
        return Path(chosen)
    return _platform_folder("XDG_DATA_HOME", ".local/share", "Application Support")


def cache() -> Path:
    """What can be made again: engines."""
    if os.environ.get("T2I_HOME"):
        return home() / "cache"
    return _platform_folder("XDG_CACHE_HOME", ".cache", "Caches")


def bundles() -> list[Found]:
    """All bundles that a name leads to; of two with one name, the nearer."""
    found: dict[str, Found] = {}
    for each in _all_bundles():
        found.setdefault(each.name, each)
    return list(found.values())


def find(model: str) -> Path:
    """The bundle of a path or a name.

    Raises:
        BundleError: there is none.
    """
    path = Path(model)
    if _is_bundle(path):
        return path
    for each in bundles():
        if each.name == model.removesuffix(SUFFIX):
            return each.path
    if _lies_there(path):
        raise BundleError(
            f"{model} is not a bundle: it has no manifest.json",
            hint="pass the folder that `t2i-export` printed, or a name that `t2i-run --list` shows",
        )
    if len(path.parts) > 1:
        raise BundleError(
            f"there is no bundle at {model}",
            hint="check the path, or pass a name that `t2i-run --list` shows",
        )
    raise BundleError(
        f"there is no bundle called {model!r}",
        hint=did_you_mean(model, [each.name for each in bundles()]),
    )


def _all_bundles() -> Iterator[Found]:
    shipped = Path(__file__).parent / "bundles"
    for origin, folder in (("here", Path()), ("yours", home() / "bundles"), ("shipped", shipped)):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if _is_bundle(path):
                yield Found(path.stem, path, origin)


def _is_bundle(path: Path) -> bool:
    """Whether it could be one: what is inside is for `Bundle.load` to judge."""
    return _lies_there(path / "manifest.json") or (_lies_there(path) and path.is_file())


def _lies_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered
        return False


def _platform_folder(variable: str, unix: str, mac: str) -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / mac
    else:
        base = Path(os.environ.get(variable) or Path.home() / unix)
    return base / "t2i"
