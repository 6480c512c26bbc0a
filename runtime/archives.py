"""A folder, or the same as one zip, or in memory: named files of bounded size, read whole."""

import hashlib
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.runtime.errors import BundleError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator
    from io import BufferedReader

AGAIN = "get the bundle again from where it came, or export it again"
ARCHIVE_BYTES = 8 * 2**30  # all files of a zip together
# Graphs hardly shrink and JSON shrinks twenty-fold: what grows more than this was made to.
GROWTH = 100
STORED, DEFLATED = 0, 8  # the two methods that every zip program knows
DIRECTORY_BYTES = 2**20  # the table of contents of a zip, some ten thousand names


@dataclass(frozen=True)
class Folder:
    path: Path

    def read(self, name: str, limit: int) -> bytes:
        """The whole of one file.

        Raises:
            BundleError: it is missing, unreadable, or larger than `limit` bytes.
        """
        with self._opened(name) as (stream, size):
            data = stream.read(min(limit, size) + 1)
        return _within(data, limit, name, self.path)

    def sha256(self, name: str, limit: int) -> str:
        """Of one file, which never lies in memory as a whole.

        Raises:
            BundleError: as `read`.
        """
        with self._opened(name) as (stream, size):
            if size > limit:
                raise _too_large(limit, name, self.path)
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @contextmanager
    def _opened(self, name: str) -> "Iterator[tuple[BufferedReader, int]]":
        """A file and its size."""
        file = self.path / name
        try:
            about = file.stat()
            if not stat.S_ISREG(about.st_mode):  # a pipe would block, a device never ends
                raise BundleError(f"{name} of {self.path.name} is no plain file", hint=AGAIN)
            with file.open("rb") as stream:
                yield stream, about.st_size
        except FileNotFoundError as error:
            raise BundleError(f"{self.path.name} has no {name}", hint=AGAIN) from error
        except OSError as error:
            raise BundleError(
                f"{name} of {self.path.name} cannot be read: {error.strerror}",
                hint="check that you may read it",
            ) from error


@dataclass(frozen=True)
class Zip:
    path: Path

    def sha256(self, name: str, limit: int) -> str:
        """As `Folder.sha256`, but for the memory."""
        return hashlib.sha256(self.read(name, limit)).hexdigest()

    def read(self, name: str, limit: int) -> bytes:
        """As `Folder.read`."""
        import zipfile  # a folder, the common case, starts sooner without it
        import zlib

        _refuse_odd_zip(self.path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                _refuse_bomb(archive, self.path)
                with archive.open(name) as stream:
                    return _within(stream.read(limit + 1), limit, name, self.path)
        except KeyError as error:
            raise BundleError(
                f"{self.path.name} has no {name}",
                hint=f"zip the files without their folder; else {AGAIN}",
            ) from error
        # RuntimeError: encrypted; NotImplementedError: packed in a way that nobody uses.
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            ValueError,
            RuntimeError,
        ) as error:
            raise BundleError(f"{self.path.name} is a damaged zip: {error}", hint=AGAIN) from error


@dataclass(frozen=True)
class Carried:
    """Files in memory, as they came from another machine."""

    path: Path
    """Where they came from; nothing need lie there here."""
    files: dict[str, bytes]

    def read(self, name: str, limit: int) -> bytes:
        """As `Folder.read`."""
        if name not in self.files:
            raise BundleError(f"{self.path.name} has no {name}", hint=AGAIN)
        return _within(self.files[name], limit, name, self.path)


def open_archive(path: Path) -> Folder | Zip:
    """Whichever of the two lies there, whatever its name.

    Raises:
        BundleError: nothing does.
    """
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Zip(path)
    raise BundleError(
        f"{path} does not exist",
        hint="pass a bundle's folder or zip, or a name that `t2i-run --list` shows",
    )


def _within(data: bytes, limit: int, name: str, path: Path) -> bytes:
    if len(data) > limit:
        raise _too_large(limit, name, path)
    return data


def _too_large(limit: int, name: str, path: Path) -> BundleError:
    return BundleError(f"{name} of {path.name} is larger than {limit} bytes", hint=AGAIN)


def _refuse_odd_zip(path: Path) -> None:
    """Look at the end of a zip before anything trusts its table of contents."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 42))
        end = stream.read(42)
    # The last 22 bytes are the end record: no comment behind it, no 64-bit locator before it.
    plain = end[-22:-18] == b"PK\5\6" and end[-2:] == b"\0\0" and end[:4] != b"PK\6\7"
    if not plain or int.from_bytes(end[-10:-6], "little") > DIRECTORY_BYTES:
        raise BundleError(
            f"{path.name} is not a bundle: neither a folder nor a plain zip of its files",
            hint="pass the folder that `t2i-export` printed, not a file inside it",
        )


def _refuse_bomb(archive: "zipfile.ZipFile", path: Path) -> None:
    entries = archive.infolist()
    total = sum(entry.file_size for entry in entries)
    if total > min(ARCHIVE_BYTES, GROWTH * path.stat().st_size):
        raise BundleError(f"{path.name} would grow to {total} bytes when read", hint=AGAIN)
    if len({entry.filename for entry in entries}) < len(entries):
        raise BundleError(f"{path.name} has two files of the same name", hint=AGAIN)
    if any(entry.compress_type not in (STORED, DEFLATED) for entry in entries):
        raise BundleError(
            f"{path.name} is packed in a way that this program does not read",
            hint="zip it again with the ordinary method (deflate)",
        )
