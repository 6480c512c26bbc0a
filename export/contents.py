"""The files of a bundle, written into an empty folder."""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from t2i.export import beside, cost, eight, likelihood, pages
from t2i.export.beside import Beside, sha256
from t2i.export.check import Graphs, arrays, compare, expected, refuse
from t2i.export.fitting import UNASKED, Fitting
from t2i.export.int8 import require_some
from t2i.export.plan import BATCHES, CAPTIONS, Host, Plan
from t2i.export.precision import SMALL, TOLERANCES, Precision, convert, stays
from t2i.export.trace import OPSET, trace
from t2i.export.trained import Trained
from t2i.models.catalog import CATALOG
from t2i.runtime import bundle, places
from t2i.runtime.records import dumps

PROOF_PICTURES = 2
PROOF_BYTES = 2**21  # unpacked
TOKENIZER, PROOF, PREVIEW, CARD = "tokenizer.json", "proof.npz", "preview.png", "card.md"

Done = Callable[[str], None]


def plans_of(trained: Trained) -> tuple[Plan, ...]:
    """What the system's file in `export/` says."""
    plans: tuple[Plan, ...] = _column(trained).plans(trained)
    return plans


def steps(plans: Sequence[Plan]) -> int:
    """How often `write` says that something is done."""
    return len(plans) + 3


def write(
    trained: Trained,
    plans: Sequence[Plan],
    precision: Precision,
    draft: Path,
    done: Done,
    fitting: Fitting = UNASKED,
) -> bundle.Manifest:
    """Everything that makes a bundle of the folder's name.

    Args:
        fitting: of a generator in eight bits.

    Raises:
        ExportError: a graph differs from PyTorch, or does not run.
    """
    with tempfile.TemporaryDirectory(dir=draft.parent) as aside:
        manifest = _computing(trained, plans, precision, draft, Path(aside), done, fitting)
    if preview := pages.preview(bundle.Bundle.load(draft)):
        manifest = replace(manifest, preview=_save(draft, PREVIEW, preview))
    done("drawn")
    card = pages.card(manifest, trained.recipe).encode()
    manifest = replace(manifest, card=_save(draft, CARD, card))
    _save_manifest(manifest, draft)
    return manifest


def _computing(
    trained: Trained,
    plans: Sequence[Plan],
    precision: Precision,
    draft: Path,
    aside: Path,
    done: Done,
    fitting: Fitting,
) -> bundle.Manifest:
    """A bundle with all that computes, which was compared and measured.

    Args:
        aside: an empty folder, for weights that are yet to be converted.
    """
    kept, rough = Beside(draft), Beside(aside)
    traced = {}
    for plan in plans:
        traced[plan.role] = trace(plan, kept if stays(precision, plan.role) else rough)
        done(f"{plan.role}: traced")
    rounded: eight.Eight | None = None
    sources, stored = traced, precision
    if precision == "int8" and CATALOG[trained.recipe.system].pipeline == "gan":
        rounded = eight.generator(trained, plans, traced, _host(trained), fitting)
        sources, stored = {**traced, eight.DRAWING: rounded.model}, "fp16-stored"
    graphs, worst = _checked(plans, sources, stored, precision, kept)
    done("compared with PyTorch")
    made = tuple(
        _graph(plan, graphs[plan.role], precision if plan.role == eight.DRAWING else stored, draft)
        for plan in plans
    )
    manifest = _manifest(trained, made, _proof(plans, draft), precision, worst, draft)
    rounding = rounded.rounding if rounded else None
    manifest = replace(manifest, rounding=rounding, weights=kept.file())
    _save_manifest(manifest, draft)

    parameters = sum(
        weight.numel() for network in trained.networks.values() for weight in network.parameters()
    )
    manifest = replace(manifest, cost=cost.measure(draft, parameters))
    lost = [*_lost(trained, plans, traced, graphs, rounded)] if precision == "int8" else []
    manifest = replace(manifest, scores=(*manifest.scores, *lost))
    done("measured")
    return manifest


def _lost(
    trained: Trained,
    plans: Sequence[Plan],
    traced: Graphs,
    graphs: Graphs,
    rounded: eight.Eight | None,
) -> Iterator[bundle.Score]:
    """What eight bits cost."""
    if rounded is None:
        yield from likelihood.scores(trained, plans, traced, graphs)
        return
    yield eight.distance(traced, graphs, rounded.groups)
    yield from eight.attributes(trained, plans, _host(trained), traced, graphs)


def _checked(
    plans: Sequence[Plan],
    sources: Graphs,
    stored: Precision,
    precision: Precision,
    kept: Beside,
) -> tuple[dict[str, onnx.ModelProto], float]:
    """The graphs as they are stored, and how far they are from PyTorch.

    A bundle must pass on other machines too, so it is to stay below half its tolerance.
    """
    for small in SMALL:
        graphs = {
            role: convert(model, stored, role, small, kept) for role, model in sources.items()
        }
        if stored == "int8":
            require_some(graphs.values())
        found = compare(plans, graphs, precision)
        if found.gap <= TOLERANCES[precision] / 2:
            break
    refuse(found, precision)
    return graphs, found.gap


def training_of(trained: Trained) -> bundle.Training:
    """Where the weights come from, as the manifest says it."""
    recipe = trained.recipe
    told = ((key, value) for key, value in recipe.data.items() if isinstance(value, (int, str)))
    return bundle.Training(
        preset=recipe.preset,
        data=", ".join(f"{key} {value}" for key, value in told),
        settings=recipe.settings,
        needs={
            name: replace(need, origin=_portable(need.origin))
            for name, need in recipe.needs.items()
        },
        checkpoint=sha256(trained.run.weights),
        images_seen=recipe.images_seen,
    )


def _portable(origin: str) -> str:
    """An origin without the folders of this machine: of a path, the system and the run."""
    return "/".join(Path(origin).parts[-2:]) if Path(origin).is_absolute() else origin


def _column(trained: Trained) -> Any:
    return import_module(f"t2i.export.{trained.recipe.system}")


def _host(trained: Trained) -> Host:
    host: Host = _column(trained).host(trained)
    return host


def _manifest(
    trained: Trained,
    graphs: tuple[bundle.Graph, ...],
    proof: bundle.File,
    precision: Precision,
    worst: float,
    draft: Path,
) -> bundle.Manifest:
    recipe, facts = trained.recipe, pages.facts(trained.recipe.system)
    host = _host(trained)
    return bundle.Manifest(
        schema=bundle.SCHEMA,
        name=draft.name.removesuffix(places.SUFFIX),
        system=recipe.system,
        pipeline=CATALOG[recipe.system].pipeline,
        condition=host.condition,
        text=None if host.condition in ("none", "vector") else _text(trained, draft),
        classes=recipe.classes,
        noise=host.noise,
        graphs=graphs,
        pixels=trained.pixels or host.pixels,
        image_px=host.image_px,
        proof=proof,
        preview=None,
        card=None,
        check=bundle.Check(torch.__version__, BATCHES, TOLERANCES[precision], worst),
        training=training_of(trained),
        scores=trained.run.scores,
        cost=None,
        licence=facts["licence"],
        paper=facts["paper"],
        precision=precision,
        attributes=dict(host.attributes),
        logit_scale=host.logit_scale,
        parts=host.parts,
    )


def _text(trained: Trained, draft: Path) -> bundle.Text:
    tokenizer, text = _save(draft, TOKENIZER, trained.tokenizer), trained.recipe.text
    return bundle.Text(tokenizer.file, tokenizer.sha256, text.length, text.unknown)


def _graph(plan: Plan, model: onnx.ModelProto, precision: Precision, draft: Path) -> bundle.Graph:
    data = beside.plain(model).SerializeToString(deterministic=True)
    file = _save(draft, f"{plan.role}.onnx", data)
    return bundle.Graph(
        plan.role, file.file, file.sha256, file.bytes, OPSET, precision, plan.inputs, plan.outputs
    )


def _proof(plans: Sequence[Plan], draft: Path) -> bundle.File:
    """Inputs for two pictures, and PyTorch's outputs: of each graph the first, and what fits."""
    proof: dict[str, Any] = {}
    for plan in plans:
        examples = plan.examples(PROOF_PICTURES, CAPTIONS[0])
        proof |= _named(f"{plan.role}.in.", arrays(examples))
        outputs = _named(f"{plan.role}.out.", expected(plan, examples))
        for place, (name, value) in enumerate(outputs.items()):
            size = sum(each.nbytes for each in proof.values())
            if place == 0 or size + value.nbytes <= PROOF_BYTES:
                proof[name] = value
    data = io.BytesIO()
    np.savez_compressed(data, **proof)
    return _save(draft, PROOF, data.getvalue())


def _named(start: str, values: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {f"{start}{name}": np.ascontiguousarray(value) for name, value in values.items()}


def _save_manifest(manifest: bundle.Manifest, draft: Path) -> None:
    _save(draft, bundle.MANIFEST, dumps(manifest).encode())


def _save(draft: Path, name: str, data: bytes) -> bundle.File:
    (draft / name).write_bytes(data)
    return bundle.File(name, hashlib.sha256(data).hexdigest(), len(data))
