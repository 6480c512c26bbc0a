"""Make the weights of a run those that ship with the package.

    python -m bench.ship runs/attngan/001-birds256 attngan
    t2i-export attngan --out runtime/bundles/birds.t2i --force

`models/weights/NAME` then holds them in float16, with their recipe and their vocabulary. A bundle
that ships is exported from there, so that anyone can make it again.
"""

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from safetensors.numpy import load_file, save

from t2i.runtime import runs, terminal
from t2i.runtime.errors import ExportError, UsageError
from t2i.runtime.pictures import write_whole


def ship(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    name: Annotated[str, typer.Argument(help="SYSTEM, or SYSTEM-PRESET for further weights.")],
) -> None:
    """Copy a run's weights, in float16, to where shipped weights lie."""
    with terminal.explaining_errors():
        recipe = runs.read_recipe(run / runs.RECIPE)
        if not recipe.finished or name.partition("-")[0] != recipe.system:
            raise UsageError(
                f"{run} is no finished run of {name}", hint="finish it with t2i-train --resume"
            )
        folder = runs.SHIPPED / name
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / runs.WEIGHTS, save(halved(load_file(run / runs.WEIGHTS))))
        for file in (runs.RECIPE, runs.TOKENIZER, runs.CAPTIONS):
            if (run / file).is_file():  # some systems keep no captions
                shutil.copyfile(run / file, folder / file)
        terminal.report(f"wrote {folder}")


def halved(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """In float16 what is float32; counters stay as they are.

    Raises:
        ExportError: a number is too large.
    """
    half = {
        name: value.astype(np.float16) if value.dtype == np.float32 else value
        for name, value in tensors.items()
    }
    for name, value in half.items():
        if not np.isfinite(value).all():
            raise ExportError(f"{name} does not fit in float16", hint="look at how it was trained")
    return half


if __name__ == "__main__":
    typer.run(ship)
