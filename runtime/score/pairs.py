"""Which picture is compared with which."""

from dataclasses import dataclass
from pathlib import Path

from t2i.runtime.errors import ScoreError

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"}
NAMED = 5


@dataclass(frozen=True)
class Pair:
    """Two pictures and the name they share."""

    name: str
    a: Path
    b: Path


@dataclass(frozen=True)
class Pairs:
    """The pictures of two folders by their file names; or just two pictures."""

    pairs: tuple[Pair, ...]
    alone: tuple[Path, ...]
    """Pictures of either folder that have no partner."""

    def tell_alone(self) -> str:
        named = ", ".join(map(str, self.alone[:NAMED]))
        more = f" and {len(self.alone) - NAMED:,} more" if len(self.alone) > NAMED else ""
        return f"{len(self.alone):,} without a partner: {named}{more}"


def match(a: Path, b: Path) -> Pairs:
    """Find each picture's partner.

    Raises:
        ScoreError: there is nothing to compare.
    """
    for path in (a, b):
        if not path.exists():
            raise ScoreError(f"there is no {path}", hint="pass two pictures or two folders")
    if a.is_dir() != b.is_dir():
        raise ScoreError(
            f"of {a} and {b} one is a folder, the other is not",
            hint="pass two pictures or two folders",
        )
    if not a.is_dir():
        return Pairs((Pair(a.name, a, b),), ())
    of_a, of_b = _pictures(a), _pictures(b)
    shared = sorted(of_a.keys() & of_b.keys())
    if not shared:
        raise ScoreError(
            f"no picture in {a} has a partner in {b}",
            hint="partners have the same file name, its ending included",
        )
    alone = [of_a[name] for name in sorted(of_a.keys() - of_b.keys())]
    alone += [of_b[name] for name in sorted(of_b.keys() - of_a.keys())]
    return Pairs(tuple(Pair(name, of_a[name], of_b[name]) for name in shared), tuple(alone))


def _pictures(folder: Path) -> dict[str, Path]:
    """Pictures of a folder by name; other files, and hidden ones, are none."""
    found = {
        file.name: file
        for file in folder.iterdir()
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".")
    }
    if not found:
        raise ScoreError(
            f"there are no pictures in {folder}",
            hint=f"their names end in {', '.join(sorted(ENDINGS))}; folders in it are not searched",
        )
    return found
