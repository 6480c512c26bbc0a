"""What a picture shows, among classes that are named by words, or learnt from examples.

Source: CLIP, Radford et al. 2021, sections 3.1.2, 3.1.4 and 3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from t2i.runtime import terminal
from t2i.runtime.errors import DataError, UsageError
from t2i.runtime.matching import Matcher, Vectors, read, unit
from t2i.runtime.pictures import Pixels, is_picture
from t2i.runtime.probe import Probe, fit, probabilities

TEMPLATES = ("a photo of a {}.",)


@dataclass(frozen=True)
class ZeroShot:
    """A class is the direction of what can be said of it."""

    labels: tuple[str, ...]
    directions: Vectors
    """(K, E)."""
    scale: float

    @classmethod
    def of(
        cls, matcher: Matcher, labels: Sequence[str], templates: Sequence[str] = TEMPLATES
    ) -> "ZeroShot":
        """Say each class in each of the templates.

        Raises:
            UsageError: a template has no place for a class.
            ScoreError: the bundle has learnt no scale.
        """
        for template in templates:
            if "{}" not in template:
                raise UsageError(
                    f"the template {template!r} has no place for a label",
                    hint='write {} where it goes, as in "a photo of a {}."',
                )
        scale = matcher.scale
        said = [template.replace("{}", label) for label in labels for template in templates]
        features = matcher.captions(said).reshape(len(labels), len(templates), -1)
        return cls(tuple(labels), ensemble(features), scale)

    def probabilities(self, pictures: Vectors) -> npt.NDArray[np.float64]:
        """(N, E) -> (N, K)."""
        return probabilities(self.scale * (pictures @ self.directions.T))


def ensemble(features: npt.NDArray[np.floating]) -> Vectors:
    """The mean direction of what several templates say: (K, templates, E) -> (K, E).

    Source: openai/CLIP, notebooks/Prompt_Engineering_for_ImageNet.ipynb.
    """
    return unit(unit(features).mean(axis=1))


@dataclass(frozen=True)
class Learnt:
    """Classes learnt from examples: a linear probe of what the bundle sees."""

    labels: tuple[str, ...]
    probe: Probe

    @classmethod
    def of(cls, matcher: Matcher, folder: Path) -> "Learnt":
        """Learn from a folder of folders of pictures, one a class.

        Raises:
            DataError: there are fewer than two classes.
            PictureError: an example cannot be read.
        """
        files = [path for path in sorted(folder.glob("*/*")) if is_picture(path.name)]
        found = [(path, path.parent.name) for path in files]
        labels = tuple(dict.fromkeys(label for _, label in found))
        if len(labels) < 2:
            raise DataError(
                f"{folder} holds examples of {len(labels)} classes, and two are needed",
                hint=f"put pictures into folders, one a class: {folder}/red/1.png",
            )
        features = []
        with terminal.progress("looking at examples", len(found)) as bar:
            for path, _ in found:
                features.append(look(matcher, read(path)))
                bar.advance()
        classes = np.array([labels.index(label) for _, label in found])
        return cls(labels, fit(np.stack(features), classes))

    def probabilities(self, pictures: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """(N, E) -> (N, K)."""
        return self.probe.probabilities(pictures)


def look(matcher: Matcher, pixels: Pixels) -> npt.NDArray[np.float32]:
    """What a bundle sees in one picture, as a probe learns it: not divided by its length."""
    features: npt.NDArray[np.float32] = matcher.extractor.look([pixels], ["code"])["code"][0]
    return features


def read_labels(path: Path) -> tuple[str, ...]:
    """One label a line.

    Raises:
        DataError: it cannot be read, or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise DataError(
            f"{path} cannot be read: {reason}", hint="pass a text file with a label a line"
        ) from error
    labels = tuple(dict.fromkeys(label for line in lines if (label := line.strip())))
    if not labels:
        raise DataError(f"there are no labels in {path}", hint="write one a line, such as: cat")
    return labels
