"""The distance between two Gaussians, and the Gaussians of features."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from t2i.runtime import terminal
from t2i.runtime.errors import ScoreError, T2IError
from t2i.runtime.pictures import write_whole
from t2i.runtime.proof import read_arrays
from t2i.runtime.score.protocol import Input

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gaussian:
    """Mean (F,) and covariance (F, F) of the features of a set of pictures."""

    mean: Floats
    covariance: Floats
    """Divided by n − 1."""
    count: int | None = None
    """Of how many pictures, where that is known."""
    extractor: str | None = None
    """SHA-256 of the graph that made the features, where that is known."""
    resize: str | None = None
    """How pictures came to its size, one of `RESIZES`; None where that is not known, or where the
    graph does it itself."""

    @classmethod
    def read(cls, path: Path) -> "Gaussian":
        """Statistics from an `.npz`: `mu` and `sigma`, as pytorch-fid writes them.

        Ours hold more: `n`, the number of pictures, `extractor`, the 32 bytes of the hash, and
        `resize`, the bytes of a name.

        Raises:
            ScoreError: it holds anything else.
        """
        try:
            arrays = read_arrays(path.read_bytes(), path.name)
            mean, covariance = arrays["mu"], arrays["sigma"]
            F = len(mean)
            if mean.shape != (F,) or covariance.shape != (F, F):
                raise ValueError(f"mu {mean.shape} and sigma {covariance.shape} do not fit")
            if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
                raise ValueError("some of its numbers are not finite")
            if not np.allclose(covariance, covariance.T) or (np.diag(covariance) < 0).any():
                raise ValueError("sigma is no covariance")
            count = int(arrays["n"]) if "n" in arrays else None
            extractor = arrays["extractor"].tobytes().hex() if "extractor" in arrays else None
            resize = arrays["resize"].tobytes().decode("ascii") if "resize" in arrays else None
        except OSError as error:
            raise ScoreError(
                f"{path} cannot be read: {error.strerror}", hint="check its name"
            ) from error
        except (T2IError, KeyError, TypeError, ValueError) as error:
            raise ScoreError(
                f"{path} holds no statistics of features: {error}",
                hint="an .npz has mu (F) and sigma (F, F), as pytorch-fid writes them",
            ) from error
        return cls(mean.astype(np.float64), covariance.astype(np.float64), count, extractor, resize)

    def save(self, path: Path) -> None:
        """Write an `.npz` that `read` takes, and pytorch-fid too."""
        told: dict[str, Any] = {} if self.count is None else {"n": np.array(self.count)}
        if self.extractor is not None:
            told["extractor"] = np.frombuffer(bytes.fromhex(self.extractor), np.uint8)
        if self.resize is not None:
            told["resize"] = np.frombuffer(self.resize.encode(), np.uint8)
        data = io.BytesIO()
        np.savez_compressed(data, mu=self.mean, sigma=self.covariance, **told)
        write_whole(path, data.getvalue())


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of pictures that need not be here."""

    gaussian: Gaussian
    name: str
    input: Input

    @classmethod
    def read(cls, path: Path) -> "Statistics":
        """Of an `.npz`, as `Gaussian.read`."""
        gaussian = Gaussian.read(path)
        if gaussian.extractor is None:
            terminal.warn(f"{path} does not tell which extractor saw its pictures")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(gaussian, path.name, Input(path.name, gaussian.count, sha256))


class Moments:
    """Mean and covariance of features that come batch by batch, in float64.

    Source: Chan, Golub, LeVeque 1983, equations 1.4 and 1.5, for vectors.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Floats = np.zeros(0)
        self._scatter: Floats = np.zeros((0, 0))

    def add(self, features: npt.NDArray[np.floating]) -> None:
        """Take some more, (B, F)."""
        features = features.astype(np.float64)
        B, F = features.shape
        if not self.count:
            self._mean, self._scatter = np.zeros(F), np.zeros((F, F))
        mean = features.mean(0)
        centred, step = features - mean, mean - self._mean
        total = self.count + B
        self._scatter += centred.T @ centred + np.outer(step, step) * (self.count * B / total)
        self._mean += step * (B / total)
        self.count = total

    def gaussian(self, extractor: str | None = None, resize: str | None = None) -> Gaussian:
        """Of all features so far.

        Raises:
            ScoreError: there are fewer than two.
        """
        if self.count < 2:
            raise ScoreError(
                f"{self.count} picture{'s have' if self.count != 1 else ' has'} no covariance",
                hint="FID compares sets of pictures: better thousands than hundreds",
            )
        return Gaussian(self._mean, self._scatter / (self.count - 1), self.count, extractor, resize)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Fréchet distance between two Gaussians of features (the F of FID).

    |m₁ − m₂|² + tr S₁ + tr S₂ − 2 tr (S₁ S₂)^½, by the symmetric form, whose square root is real
    even where there are fewer pictures than features. Biased upward for small samples: compare
    only equal counts.

    Raises:
        ScoreError: the two have different numbers of features.

    Source: Heusel et al. 2017, equation 6.
    """
    if a.mean.shape != b.mean.shape:
        raise ScoreError(
            f"{len(a.mean):,} and {len(b.mean):,} features cannot be compared",
            hint="both sets must be seen by the same extractor",
        )
    apart = float(np.sum((a.mean - b.mean) ** 2))
    traces = float(np.trace(a.covariance) + np.trace(b.covariance))
    # Rounding may leave a little less than nothing between equal sets.
    return max(0.0, apart + traces - 2 * _trace_of_root(a.covariance, b.covariance))


def _trace_of_root(a: Floats, b: Floats) -> float:
    """tr (A B)^½ of two positive semidefinite matrices.

    With A = R Rᵀ, A B has the eigenvalues of Rᵀ B R, which is symmetric.
    """
    try:
        root = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:  # rank-deficient: rounding may make its zeros negative
        values, vectors = np.linalg.eigh(a)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
    values = np.linalg.eigvalsh(root.T @ b @ root)
    return float(np.sqrt(np.maximum(values, 0.0)).sum())
