"""From official files to networks that can be exported."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

import t2i
from t2i.export.beside import sha256
from t2i.export.official import vocabulary
from t2i.export.official.kinds import OFFICIAL, Part, Recognised, Renamed, choose, renamed
from t2i.export.official.published import Files, Published
from t2i.export.official.table import KINDS, PUBLISHED
from t2i.export.official.tables import open_checkpoint
from t2i.export.trained import Trained, hollow
from t2i.models import renames
from t2i.models.catalog import CATALOG
from t2i.runtime import runs, terminal
from t2i.runtime.bundle import Need
from t2i.runtime.errors import ExportError, UsageError, did_you_mean
from t2i.runtime.records import RecordError, decode, encode


@dataclass(frozen=True)
class Official(runs.Run):
    """Files of weights, told as a run is."""

    file: Path
    made: runs.Recipe
    words: bytes

    @property
    def recipe(self) -> runs.Recipe:
        return self.made

    @property
    def weights(self) -> Path:
        return self.file

    @property
    def tokenizer(self) -> bytes:
        return self.words

    @property
    def scores(self) -> tuple[Any, ...]:
        return ()


def load(system: str, files: Files) -> Trained:
    """The official networks of a system, filled from their files.

    Raises:
        UsageError: there is no such system, no official files of it are known, or one is missing.
        ExportError: a file cannot be read, holds the weights of something else, or does not go
            with the others.
    """
    published = _published(system)
    given, files = files, _unfolded(system, published, files)
    _check_given(system, published, files)
    models: Any = import_module(f"t2i.models.{system}")
    found = {
        part: choose(open_checkpoint(files.weights[part.role]), part, KINDS)
        for part in published.parts
        if part.role in files.weights
    }
    for part, each in found.items():
        terminal.say(f"{files.weights[part.role]}: {each.told()}")
    settings = _settings(published, files, found)
    sizes = _sizes(models.Settings, settings)
    length = getattr(sizes, "length", None)
    reads = all(part in found for part in published.parts)  # else captions are vectors
    words = vocabulary.read(published.reads if reads else "nothing", files.vocabulary, length)
    if words and not published.folder:  # whose files belong together
        encoder = files.weights.get("text-weights", files.weights["weights"])
        vocabulary.check(words, sizes.vocabulary, files.vocabulary, encoder)
    networks = _filled(models, sizes, {part.prefix: renamed(found[part]) for part in found})
    first = next(each for part, each in found.items() if part.role == "weights")
    data = {"weights": given.weights["weights"].name}
    if words:
        data["vocabulary"] = hashlib.sha256(words.tokenizer).hexdigest()
    recipe = replace(
        _recipe(system, sizes, words, files), preset=first.preset, settings=settings, data=data
    )
    tokenizer = words.tokenizer if words else b""
    run = Official(first.path.parent, first.path, recipe, tokenizer)
    return Trained(run, sizes, networks, tokenizer, official=True, pixels=published.pixels)


def _unfolded(system: str, published: Published, files: Files) -> Files:
    """The files themselves, where a folder of them is given.

    Raises:
        UsageError: there is more than the folder.
        ExportError: one is missing in it.
    """
    if not published.folder:
        return files
    folder = files.weights["weights"]
    if len(files.weights) > 1 or files.vocabulary or files.settings:
        raise UsageError(
            f"{system} is published as a folder, which tells everything",
            hint=f"leave out all but --weights {folder}",
        )
    return published.folder(folder)


def _filled(models: Any, sizes: Any, weights: Mapping[str, Renamed]) -> dict[str, nn.Module]:
    """Those networks of a system that have weights.

    Raises:
        ExportError: the weights do not fit.
    """
    empty = hollow(models, sizes)
    for prefix, each in weights.items():
        each.made_whole(empty[prefix]).check(empty[prefix])
    built: dict[str, nn.Module] = models.networks(sizes)
    networks = {prefix: built[prefix] for prefix in weights}
    for prefix, network in networks.items():
        renames.load(network, weights[prefix].made_whole(network))
        network.eval().requires_grad_(requires_grad=False)
    return networks


def parsed(changes: Sequence[str]) -> dict[str, Any]:
    """`key=value` of the command line, as JSON has values; what is none of its kinds is a text.

    Raises:
        UsageError: one has no value.
    """
    found: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set {change}: there is no value", hint=f"write {change}=VALUE")
        try:
            found[key] = json.loads(value.lower())
        except ValueError:
            found[key] = value
    return found


def _published(system: str) -> Published:
    if system not in CATALOG:
        raise UsageError(f"there is no system {system!r}", hint=did_you_mean(system, CATALOG))
    if system not in PUBLISHED:
        raise UsageError(
            f"--weights: no official files of {system} are known",
            hint=f"begin a training with it, `t2i-train {system} --weights FILE`, and export that",
        )
    return PUBLISHED[system]


def _check_given(system: str, published: Published, files: Files) -> None:
    """
    Raises:
        UsageError: a file is missing that the system is made of, or has no place in it.
    """
    roles = {part.role: part for part in published.parts}
    for role in files.weights:
        if role not in roles:
            raise UsageError(
                f"--{role}: {system} has no such file", hint=f"it is made of {_listed(published)}"
            )
    missing = [
        f"--{each.role}"
        for each in published.parts
        if not (each.role in files.weights or each.optional)
    ]
    reads = published.reads in vocabulary.FROM_FILES
    if reads and files.vocabulary is None:
        missing.append("--vocabulary")
    if files.vocabulary and not reads:
        raise UsageError(f"--vocabulary: {system} reads no words from a file", hint="leave it out")
    if missing:
        raise UsageError(
            f"{system} needs {' and '.join(missing)}", hint=f"it is made of {_listed(published)}"
        )


def _listed(published: Published) -> str:
    files = [f"--{part.role} ({part.title})" for part in published.parts]
    if published.reads in vocabulary.FROM_FILES:
        files.append(f"--vocabulary ({vocabulary.FROM_FILES[published.reads]})")
    return ", ".join(files)


def _settings(
    published: Published, files: Files, found: Mapping[Part, Recognised]
) -> dict[str, Any]:
    """What the files tell of the networks, what is known of them all, and what was given.

    Raises:
        ExportError: the files do not agree.
    """
    agreed: dict[str, Any] = {}
    told: dict[str, Path] = {}
    for part, each in found.items():
        path = files.weights[part.role]
        for key, value in each.sizes.items():
            if agreed.setdefault(key, value) != value:
                raise ExportError(
                    f"{path} has {key} {value}, and {told[key]} has {agreed[key]}",
                    hint="pass files that were trained together",
                )
            told.setdefault(key, path)
    settings: dict[str, Any] = encode({**agreed, **published.settings, **files.settings})
    return settings


def _sizes(kind: Any, settings: Mapping[str, Any]) -> Any:
    """
    Raises:
        UsageError: one that was given is unknown, or does not fit.
    """
    names = {each.name for each in fields(kind)}
    if unknown := settings.keys() - names:
        name = min(unknown)
        raise UsageError(f"there is no setting {name!r}", hint=did_you_mean(name, names))
    try:
        return decode(kind, settings)
    except RecordError as error:
        raise UsageError(
            f"--set: {error}", hint=f"its settings are {', '.join(sorted(names))}"
        ) from error


def _recipe(
    system: str, sizes: Any, words: vocabulary.Vocabulary | None, files: Files
) -> runs.Recipe:
    others: dict[str, Path] = {
        role: path for role, path in files.weights.items() if role != "weights"
    }
    if files.vocabulary:
        others["vocabulary"] = files.vocabulary
    return runs.Recipe(
        schema=runs.SCHEMA,
        version=t2i.__version__,
        system=system,
        preset=OFFICIAL,
        settings={},
        network=encode(sizes),
        text=words.text if words else runs.TextSettings(0, "drop"),
        classes=(),
        data={},
        needs={role: Need(sha256(path), path.name) for role, path in others.items()},
        images_seen=0,
        steps=0,
        finished=True,
        facing=None,
    )
