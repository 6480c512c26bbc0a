"""One process a run: two that write into one folder would spoil it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from t2i.runtime.errors import TrainingError

if sys.platform == "win32":

    @contextmanager
    def held(folder: Path) -> Iterator[None]:
        """Windows has no lock that ends with its process whatever happens: nothing is held."""
        yield

else:
    import fcntl

    @contextmanager
    def held(folder: Path) -> Iterator[None]:
        """Hold a run folder; the lock ends with the process, however it ends.

        Raises:
            TrainingError: another process trains in it.
        """
        with (folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"another process is training in {folder}",
                    hint="wait for it, or name another run with --out",
                ) from None
            yield
