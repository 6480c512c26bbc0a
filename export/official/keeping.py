"""Networks as trainings start from them: their weights, their settings and their vocabulary."""

from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from t2i.export.official.kinds import averaged
from t2i.export.official.tables import open_checkpoint
from t2i.export.trained import Trained
from t2i.runtime.errors import ExportError, UsageError
from t2i.runtime.records import dumps

WEIGHTS, SETTINGS, VOCABULARY = ".safetensors", ".json", ".tokenizer.json"


def keep(trained: Trained, path: Path, *, force: bool = False) -> list[Path]:
    """Write NAME.safetensors, and beside it NAME.json and, where words are read, their ids.

    Raises:
        ExportError: they cannot be written.
        UsageError: one of them is there already, or the name has another ending.
    """
    others = {path.with_suffix(SETTINGS): dumps(trained.recipe).encode()}
    if trained.tokenizer:
        others[path.with_suffix(VOCABULARY)] = trained.tokenizer
    _check(path, *others, force=force)
    _save(_named(trained), path)
    for file, data in others.items():
        file.write_bytes(data)
    return [path, *others]


def convert(file: Path, path: Path, *, force: bool = False) -> None:
    """Write the tensors of a checkpoint under their own names; of several tables the averaged one.

    Raises:
        ExportError: it holds several, of which none is the one that is meant; or there is no
            room for them.
        UsageError: the file is there already, or its name has another ending.
    """
    _check(path, force=force)
    tables = open_checkpoint(file).tables
    name = next(iter(averaged(tables)), "") if len(tables) > 1 else next(iter(tables))
    if name not in tables:
        raise ExportError(
            f"{file} holds several tables: {', '.join(tables)}",
            hint="save the one that is meant by itself: torch.save(checkpoint[NAME], FILE)",
        )
    _save({key.removeprefix("module."): each for key, each in tables[name].items()}, path)


def _check(path: Path, *others: Path, force: bool) -> None:
    if path.suffix != WEIGHTS:
        raise UsageError(
            f"--save-weights {path}: the name does not end in {WEIGHTS}",
            hint=f"pass --save-weights {path.with_suffix(WEIGHTS)}",
        )
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="make it, or choose another")
    for file in (path, *others):
        if file.exists() and not force:
            raise UsageError(f"{file} is there already", hint="pass --force to replace it")


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """Aside first, so that nobody finds half of it.

    Raises:
        ExportError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.part")
    # Not tensors that share their numbers, which safetensors refuses.
    apart = {name: each.clone().contiguous() for name, each in tensors.items()}
    try:
        save_file(apart, draft)
        draft.replace(path)
    except (SafetensorError, OSError) as error:
        raise ExportError(
            f"{path} cannot be written: {error}",
            hint="make room on the disk, or choose another place",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _named(trained: Trained) -> dict[str, Tensor]:
    """Under the names that a run's weights have."""
    return {
        f"{prefix}.{name}": value
        for prefix, network in trained.networks.items()
        for name, value in network.state_dict().items()
    }
