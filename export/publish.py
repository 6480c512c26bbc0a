"""From checked graphs to a bundle that appears whole, or not at all."""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from t2i.export import check, cost, pages
from t2i.export.plan import BATCHES, CAPTIONS, Plan, System
from t2i.export.precision import TOLERANCES, Precision, convert
from t2i.export.rewrite import rewrite
from t2i.export.trace import OPSET, trace
from t2i.export.trained import Trained
from t2i.models.catalog import CATALOG
from t2i.runtime import bundle, places, terminal
from t2i.runtime.errors import BundleError, ExportError
from t2i.runtime.records import dumps

PROOF_PICTURES = 2


@dataclass(frozen=True)
class Request:
    """What to write, and where."""

    trained: Trained
    precision: Precision = "fp16-stored"
    out: Path | None = None
    """Path of the bundle; None: the user's bundle folder, under a name made for it."""
    force: bool = False

    @property
    def name(self) -> str:
        recipe = self.trained.recipe
        suffix = "" if self.precision == "fp16-stored" else f"-{self.precision}"
        made = f"{recipe.system}-{recipe.preset}{suffix}"
        return self.out.name.removesuffix(places.SUFFIX) if self.out else made

    @property
    def path(self) -> Path:
        return self.out or places.home() / "bundles" / f"{self.name}{places.SUFFIX}"


def export(request: Request) -> Path:
    """Trace, compare, and publish a run.

    Raises:
        ExportError: a graph differs from PyTorch, or another bundle has the name.
    """
    refuse_others(request)
    with drafted(request.path) as draft:
        manifest = write(request, draft)
        save_manifest(draft, manifest)
        manifest = replace(manifest, cost=cost.measure(draft, manifest))
        preview = pages.preview(draft, manifest)
        if preview is not None:
            manifest = replace(manifest, preview=save(draft, "preview.png", preview))
        card = pages.card(manifest).encode()
        save_manifest(draft, replace(manifest, card=save(draft, "card.md", card)))
        bundle.Bundle.load(draft)  # what strangers will read must pass as a stranger's
    return request.path


def save_manifest(draft: Path, manifest: bundle.Manifest) -> None:
    save(draft, bundle.MANIFEST, dumps(manifest).encode())


def refuse_others(request: Request) -> None:
    """A bundle in the way may only be this run's own."""
    path = request.path
    if request.force or not path.exists():
        return
    try:
        there = bundle.Bundle.load(path).manifest
    except BundleError:
        there = None
    training = there.training if there else None
    mine = training_of(request.trained)
    if training and (training.preset, training.settings) == (mine.preset, mine.settings):
        return
    raise ExportError(
        f"{path} is there already, from another run",
        hint="pass --force to replace it, or another --out",
    )


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A folder beside `path` that takes its place in the end; after an error nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".draft-", dir=path.parent))
    draft = aside / path.name
    draft.mkdir()
    try:
        yield draft
        if path.exists():
            path.rename(aside / "replaced")
        draft.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write(request: Request, draft: Path) -> bundle.Manifest:
    """All files but those that need a working bundle: preview, card, costs."""
    trained, recipe = request.trained, request.trained.recipe
    module = import_module(f"t2i.export.{recipe.system}")
    system: System = module.system(trained)
    graphs, worst = [], 0.0
    with terminal.progress("exporting", 2 * len(system.plans)) as bar:
        for plan in system.plans:
            bar.advance(note=f"{plan.role}: tracing")
            model = traced(plan, request.precision)
            bar.advance(note=f"{plan.role}: comparing with PyTorch")
            worst = max(worst, check.check(plan, model, request.precision))
            graphs.append(save_graph(plan, model, request.precision, draft))
    text = save_text(trained, draft)
    proof = save_proof(system, draft)
    return bundle.Manifest(
        schema=bundle.SCHEMA,
        name=request.name,
        system=recipe.system,
        pipeline=CATALOG[recipe.system].pipeline,
        condition=system.condition,
        text=text,
        classes=recipe.classes if system.condition == "class" else (),
        noise=system.noise,
        graphs=tuple(graphs),
        pixels=system.pixels,
        image_px=system.image_px,
        proof=proof,
        preview=None,
        card=None,
        check=bundle.Check(
            torch=torch.__version__,
            batches=BATCHES,
            tolerance=TOLERANCES[request.precision],
            worst=worst,
        ),
        training=training_of(trained),
        scores=(),
        cost=None,
        licence=pages.facts(recipe.system)["licence"],
        paper=pages.facts(recipe.system)["paper"],
        precision=request.precision,
    )


def traced(plan: Plan, precision: Precision) -> onnx.ModelProto:
    model = trace(plan, rewrite(plan.module))
    return convert(model, precision, computes=plan.role != "text")


def save_graph(
    plan: Plan, model: onnx.ModelProto, precision: Precision, draft: Path
) -> bundle.Graph:
    file = save(draft, f"{plan.role}.onnx", model.SerializeToString(deterministic=True))
    return bundle.Graph(
        role=plan.role,
        file=file.file,
        sha256=file.sha256,
        bytes=file.bytes,
        opset=OPSET,
        precision=precision,
        inputs=plan.inputs,
        outputs=plan.outputs,
    )


def save_text(trained: Trained, draft: Path) -> bundle.Text:
    recipe = trained.recipe
    file = save(draft, "tokenizer.json", trained.run.tokenizer)
    return bundle.Text(file.file, file.sha256, recipe.text.length, recipe.text.unknown)


def save_proof(system: System, draft: Path) -> bundle.File:
    """Two examples of each graph with PyTorch's own outputs."""
    arrays: dict[str, Any] = {}
    for plan in system.plans:
        examples = plan.examples(PROOF_PICTURES, CAPTIONS[0])
        arrays |= {f"{plan.role}.in.{name}": value.numpy() for name, value in examples.items()}
        for name, value in check.expected(plan, examples).items():
            if not name.startswith("attention"):  # large, and settled by the picture they lead to
                arrays[f"{plan.role}.out.{name}"] = value
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return save(draft, "proof.npz", buffer.getvalue())


def save(draft: Path, name: str, data: bytes) -> bundle.File:
    (draft / name).write_bytes(data)
    return bundle.File(name, hashlib.sha256(data).hexdigest(), len(data))


def training_of(trained: Trained) -> bundle.Training:
    recipe = trained.recipe
    return bundle.Training(
        preset=recipe.preset,
        data=str(recipe.data.get("kind", "")),
        settings=json.loads(json.dumps(recipe.settings)),
        needs=recipe.needs,
        checkpoint=hashlib.sha256(trained.run.weights.read_bytes()).hexdigest(),
        images_seen=recipe.images_seen,
    )
