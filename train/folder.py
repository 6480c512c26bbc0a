"""The run folder while it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from t2i.runtime import runs
from t2i.runtime.errors import UsageError
from t2i.runtime.records import dumps
from t2i.train.files import write_tensors, write_whole


class RunFolder:
    """A run of this process: `recipe.json` and the weights are kept up to date."""

    def __init__(self, path: Path, recipe: runs.Recipe) -> None:
        self.path = path
        self.recipe = recipe

    def begin(self, tokenizer: bytes) -> None:
        write_whole(self.path / runs.TOKENIZER, tokenizer)
        self.note(steps=0, images_seen=0, finished=False)

    def note(self, *, steps: int, images_seen: int, finished: bool) -> None:
        """Rewrite `recipe.json` with how far it has come."""
        self.recipe = replace(self.recipe, steps=steps, images_seen=images_seen, finished=finished)
        write_whole(self.path / runs.RECIPE, dumps(self.recipe).encode())

    def keep_streams(self, streams: Mapping[str, Tensor]) -> None:
        write_tensors(self.path / runs.STREAMS, streams)

    def keep_captions(self, captions: Sequence[str]) -> None:
        write_whole(self.path / runs.CAPTIONS, "".join(f"{each}\n" for each in captions).encode())

    def save_weights(self, networks: Mapping[str, nn.Module]) -> None:
        write_tensors(self.path / runs.WEIGHTS, prefixed(networks))


def prefixed(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """The tensors of several networks under the names that a run's weights have."""
    return {
        f"{prefix}.{name}": value
        for prefix, network in networks.items()
        for name, value in network.state_dict().items()
    }


def next_folder(system: str, preset: str, root: Path = runs.RUNS) -> Path:
    """The folder that a new run gets; it is not made yet."""
    taken = runs.numbered(system, root)
    number = taken[-1][0] + 1 if taken else 1
    return root / system / f"{number:03}-{preset}"


def refuse_full(out: Path | None) -> None:
    """Raises UsageError: the folder asked for has something in it."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"{out} is not empty",
            hint="pass --resume to go on with the run in it, or another --out",
        )


def make_folder(system: str, preset: str, out: Path | None) -> Path:
    """Make the folder of a new run: `out`, which is empty or not there, else the next number."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        return out
    while True:
        folder = next_folder(system, preset)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another training began in this moment
            continue
        return folder
