"""Files that are whole or absent, whatever happens while they are written."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor


def write_whole(path: Path, data: bytes) -> None:
    """Write aside, flush to the disk, rename."""
    draft = aside(path)
    draft.write_bytes(data)
    sync(draft)
    draft.replace(path)
    sync(path.parent)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write one safetensors file like `write_whole`; tensors come from any device."""
    from safetensors.torch import save

    # Not safetensors' own writer, whose files only their owner may read.
    write_whole(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def aside(path: Path) -> Path:
    """Where a file or folder is written before it gets its name."""
    return path.with_name(f".{path.name}.part")


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
