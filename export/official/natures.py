"""What a file is by its first bytes, and what may be wrong with one that is no checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from t2i.runtime.errors import ExportError

Nature = Literal["zip", "pickle", "safetensors", "torch7"]

HEAD_BYTES = 512
AGAIN = "download it again, and compare its size with what is told where it is published"


class Damaged(Exception):
    """A file is not what its first bytes promise; says how."""


class Forbidden(Exception):
    """A pickle asks for something that no checkpoint needs; says for what."""


def nature_of(path: Path) -> Nature:
    """How a file is to be read.

    Raises:
        ExportError: it cannot be, or is none that holds weights.
    """
    return _known(path, head_of(path))


def head_of(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        ExportError: it cannot be read, or stands for another one.
    """
    if path.is_dir():
        raise ExportError(
            f"{path} is a folder, no file of weights",
            hint="pass one file in it; for a folder that t2i-train wrote pass --run",
        )
    if path.exists() and not path.is_file():  # a pipe would block, a device never ends
        raise ExportError(f"{path} is no plain file", hint="pass a file that lies on a disk")
    with explained(path), path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise ExportError(f"{path} is empty", hint=AGAIN)
    if head.startswith(b"version https://git-lfs"):
        raise ExportError(
            f"{path} is a pointer of Git LFS, not the file that it stands for",
            hint="run `git lfs pull` in its repository, or download the file itself",
        )
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ExportError(
            f"{path} is a web page, saved under the name of a checkpoint",
            hint="its link is dead, or asks to be confirmed: open it in a browser",
        )
    return head


def _known(path: Path, head: bytes) -> Nature:
    if head.startswith(b"PK\3\4"):
        return "zip"
    if head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5":
        return "pickle"
    if head[8:9] == b"{":
        return "safetensors"
    if head.startswith((b"\4\0\0\0\1\0\0\0", b"\3\0\0\0\1\0\0\0", b"4\n1\n", b"3\n1\n")):
        return "torch7"
    raise ExportError(
        f"{path} is no file of weights that can be read",
        hint="known are what torch.save, safetensors, Torch7 and TensorFlow write",
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with it."""
    try:
        yield
    except Forbidden as error:
        raise ExportError(
            f"{path} asks for {error}, which no weights need; nothing of it was run",
            hint="do not open it with other programs: get the file from its authors",
        ) from error
    except Damaged as error:
        raise ExportError(f"{path} is damaged: {error}", hint=AGAIN) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExportError(
            f"{path} cannot be read: {reason}", hint="check the path, and that you may read it"
        ) from error
