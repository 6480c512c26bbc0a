"""What is known of the pictures that the renderer of the drawn birds makes, and the test captions.

`python -m bench.captions` and `python -m bench.references` write both files.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from t2i.runtime.archives import AGAIN
from t2i.runtime.bundle import Manifest
from t2i.runtime.errors import BundleError
from t2i.runtime.proof import read_arrays
from t2i.runtime.score.frechet import Gaussian
from t2i.runtime.score.protocol import Input

BIRDS = Path(__file__).parent / "birds"
CAPTIONS = BIRDS / "captions.jsonl"
RENDERED = BIRDS / "references.npz"
SEEN = "seen."  # before the name of an attribute


@dataclass(frozen=True)
class Rendered:
    """Pictures of the test captions as the renderer draws them, through the shipped bundles."""

    input: Input
    features: Gaussian
    """By the bundle of the judge, whose graph it names."""
    seen: dict[str, tuple[int, int]]
    """By attribute: how often the judge sees what is stated, and how often it is stated."""
    diversity: float
    """As the metric of that name finds it."""
    perceptual: str
    """SHA-256 of the graph that the diversity was measured by."""

    @property
    def name(self) -> str:
        return f"{self.input.count:,} rendered birds"


def rendered(path: Path = RENDERED) -> Rendered | None:
    """The file that ships; None where it does not.

    Raises:
        BundleError, ScoreError: it is damaged.
    """
    if not path.is_file():
        return None
    data = path.read_bytes()
    arrays = read_arrays(data, path.name)
    try:
        features = Gaussian.read(path)
        seen = {
            name.removeprefix(SEEN): (int(array[0]), int(array[1]))
            for name, array in arrays.items()
            if name.startswith(SEEN)
        }
        return Rendered(
            Input(path.name, int(arrays["n"]), hashlib.sha256(data).hexdigest()),
            features,
            seen,
            float(arrays["diversity"]),
            arrays["perceptual"].tobytes().hex(),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise BundleError(f"{path.name} is damaged: it has no {error}", hint=AGAIN) from error


def speaks_of_birds(manifest: Manifest) -> bool:
    """Whether a bundle draws drawn birds: it was trained on them, by their captions or classes."""
    settings = manifest.training.settings if manifest.training else {}
    data = settings.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    return kind == "birds" and manifest.condition in ("caption", "class")
