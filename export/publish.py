"""A bundle appears whole or not at all, and only in the place of an earlier one of the same run."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from t2i.export import contents
from t2i.export.fitting import UNASKED, Fitting
from t2i.export.precision import Precision
from t2i.export.trained import Trained
from t2i.models.catalog import CATALOG
from t2i.runtime import places, rules, terminal
from t2i.runtime.bundle import MANIFEST, Bundle, Training, read_manifest
from t2i.runtime.errors import BundleError, ExportError, UsageError

DRAFT, REPLACED = ".draft-", "replaced-"
STALE_SECONDS = 24 * 3600.0
"""After which nobody works on a draft any more."""


@dataclass(frozen=True)
class Request:
    """What to export, and where to."""

    trained: Trained
    precision: Precision | None = None
    """None: what is usual for these weights."""
    out: Path | None = None
    """Path of the bundle; None: the user's bundle folder, under a name made for it."""
    force: bool = False
    """Replace the bundle that is there, whosever it is."""
    fitting: Fitting = UNASKED
    """What a generator in eight bits is fitted to."""

    @property
    def usual(self) -> Precision:
        """Official weights are for numbers that are compared with others', to many digits."""
        return "fp32" if self.trained.official else "fp16-stored"

    @property
    def path(self) -> Path:
        if self.out:
            return self.out.with_name(self.out.name.removesuffix(places.SUFFIX) + places.SUFFIX)
        suffix = "" if self.precision in (None, self.usual) else f"-{self.precision}"
        return places.home() / "bundles" / f"{self.trained.name}{suffix}{places.SUFFIX}"

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(places.SUFFIX)


def export(request: Request) -> Bundle:
    """Trace, compare with PyTorch, and publish.

    Raises:
        ExportError: a graph differs from PyTorch, or something else has the name.
        UsageError: the name is none, or what is set is of other systems.
    """
    if not rules.is_name(request.name):
        raise UsageError(
            f"{request.name!r} cannot be the name of a bundle",
            hint="use letters, digits, '.', '_' and '-'",
        )
    refuse_others(request)
    trained, precision = request.trained, request.precision or request.usual
    if request.fitting != UNASKED and CATALOG[trained.recipe.system].pipeline != "gan":
        raise UsageError(
            f"{trained.recipe.system} has no generator that is fitted to a range or captions",
            hint="leave out --captions and --set range=…",
        )
    plans = contents.plans_of(trained)
    with (
        terminal.progress(f"exporting {request.name}", contents.steps(plans)) as bar,
        drafted(request.path) as draft,
    ):
        contents.write(
            trained, plans, precision, draft, lambda note: bar.advance(note=note), request.fitting
        )
        Bundle.load(draft)  # what strangers will read must pass as a stranger's
    return Bundle.load(request.path)


def refuse_others(request: Request) -> None:
    """What has the name may only be this run's own bundle, or with `force` any bundle.

    Raises:
        ExportError: it is another run's, or no bundle at all.
    """
    path = request.path
    if not path.exists():
        return
    manifest = path / MANIFEST
    if not (manifest.is_file() or path.is_file()):
        raise ExportError(
            f"{path} is there already, and is no bundle", hint="choose another place with --out"
        )
    if request.force:
        return
    try:
        there = read_manifest(manifest.read_bytes(), path.name).training
    except (OSError, BundleError):
        there = None
    if there is None or _origin(there) != _origin(contents.training_of(request.trained)):
        raise ExportError(
            f"{path} is there already, from another run",
            hint="pass --force to replace it, or choose another place with --out",
        )


def _origin(training: Training) -> Training:
    """What stays the same while a run goes on."""
    return replace(training, checkpoint="", images_seen=0)


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A folder that takes its place at `path` in the end; after an error nothing is left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path.parent)
    aside = Path(tempfile.mkdtemp(prefix=DRAFT, dir=path.parent))
    draft, replaced = aside / path.name, aside / f"{REPLACED}{path.name}"
    draft.mkdir()
    try:
        yield draft
        if path.exists():
            path.rename(replaced)
        try:
            draft.rename(path)
        except OSError:
            if replaced.exists():
                replaced.rename(path)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """Remove what exports that were killed left behind, but for a bundle that they had put aside
    and not yet replaced: it gets its place again."""
    for aside in folder.glob(f"{DRAFT}*"):
        with suppress(OSError):
            if time.time() - aside.stat().st_mtime < STALE_SECONDS:
                continue
            for replaced in aside.glob(f"{REPLACED}*"):
                place = folder / replaced.name.removeprefix(REPLACED)
                if not place.exists():
                    replaced.rename(place)
            shutil.rmtree(aside, ignore_errors=True)
