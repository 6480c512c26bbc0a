"""Read the pickles in which data sets list their files, without running what is in them."""

import pickle
from pathlib import Path
from typing import Any, NoReturn

from t2i.runtime.errors import DataError

LARGEST_BYTES = 64 * 2**20


class _Plain(pickle.Unpickler):
    """Builds lists, tuples, dictionaries, texts and numbers; a class or a function is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def load(path: Path) -> Any:
    """What a pickle of plain values holds.

    Raises:
        DataError: it is missing, damaged, too large, or would run code.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(
                f"{path} is too large for a list of files",
                hint="take the pickle that belongs to the data set",
            )
        with path.open("rb") as file:
            return _Plain(file, encoding="latin1").load()
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing",
            hint="give the folder that holds CUB_200_2011, text, train and test",
        ) from error
    except DataError:
        raise
    except Exception as error:  # a damaged one raises whatever it likes
        raise DataError(
            f"{path} is no pickle of plain names: {error}",
            hint="take the file from where the data set is published; this one is not read",
        ) from error
