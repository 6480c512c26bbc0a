"""What the tests of our commands share."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import Result


def failed(result: Result, status: int = 1) -> str:
    """What a failed command said, which must end in an error and a hint."""
    assert result.exit_code == status, result.output
    assert re.search(r"^error: .+\n hint: .+\n\Z", result.stderr, re.MULTILINE), result.stderr
    return result.stderr


def records(text: str) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def differ(a: np.ndarray, b: np.ndarray) -> int:
    """By how many levels at most."""
    return int(np.abs(a.astype(int) - b).max())
