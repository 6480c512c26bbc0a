"""Where sets of pictures lie: in files of this machine, or in whatever fsspec reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from t2i.runtime.errors import ScoreError, T2IError

ELSEWHERE = "://"


def location(text: str) -> Path:
    """The path of a set; of one elsewhere, such as `s3://bucket/set`, what behaves as a path does.

    Raises:
        ScoreError: what reaches there is not installed.
    """
    if ELSEWHERE not in text:
        return Path(text)
    try:
        from upath import UPath
    except ImportError as error:
        raise ScoreError(
            f"{text} lies elsewhere, and what reaches there is not installed",
            hint="pip install 't2i[scale]'",
        ) from error
    try:
        found = UPath(text)
        assert found.fs, "fsspec has what it needs for this kind of address"
    except (ImportError, ValueError) as error:
        raise ScoreError(
            f"{text} cannot be reached: {error}",
            hint="fsspec needs a package for each kind of store: s3fs for s3://, gcsfs for gs://",
        ) from error
    return cast(Path, found)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Where the path is no file of this machine, turn what its store says of itself into our error.

    Only a picture that is not there, or not to be read, is one that can be left out. A network that
    fails has to end the scoring: else a set would silently shrink.
    """
    try:
        yield
    except (T2IError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        if isinstance(path, Path):
            raise
        raise ScoreError(
            f"{path} cannot be reached: {error}",
            hint="check the network, and that you may read there; --resume goes on where it ended",
        ) from error
