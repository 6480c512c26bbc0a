"""`t2i-run --list` and `--selftest`."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from t2i.runtime import archives, places, rules, terminal
from t2i.runtime.bundle import MANIFEST, Bundle, Manifest, read_manifest
from t2i.runtime.errors import BundleError
from t2i.runtime.proof import replay
from t2i.runtime.sessions import open_session


def show(*, as_json: bool) -> None:
    """The bundles that a name leads to. One that cannot be read is named and left out."""
    rows: list[dict[str, Any]] = []
    for found in places.bundles():
        try:
            manifest = manifest_of(found.path)
        except BundleError as error:
            terminal.warn(str(error), hint=error.hint)
            continue
        row = {
            "name": found.name,
            "system": manifest.system,
            "px": manifest.image_px,
            "bytes": _bytes(found.path),
            "precision": manifest.precision,
            "pipeline": manifest.pipeline,
            "condition": manifest.condition,
            "draws": manifest.draws,
            "classes": list(manifest.classes),
            "where": found.origin,
            "path": str(found.path),
        }
        rows.append(row)
    if as_json:
        for row in rows:
            terminal.print_json(row)
        return
    shown = ("name", "system", "condition", "px", "bytes", "precision", "where")
    terminal.table(shown, [[row[column] for column in shown] for row in rows])
    drawing = [row for row in rows if row["draws"] and row["condition"] != "vector"]
    if drawing:
        first, *_ = drawing
        example = first["classes"][0] if first["condition"] == "class" else "a red bird"
        terminal.say(f'next: t2i-run --model {first["name"]} "{example}"')


def with_graph(role: str) -> list[str]:
    """Names of the bundles on this machine that have a graph of this role."""
    names = []
    for found in places.bundles():
        with suppress(BundleError):  # --list tells what is wrong with it
            if any(graph.role == role for graph in manifest_of(found.path).graphs):
                names.append(found.name)
    return names


def test(model: str, *, device: str, threads: int | None, as_json: bool) -> None:
    """Replay a bundle's proof.

    Raises:
        BundleError: this device computes something else.
    """
    bundle = Bundle.load(places.find(model))
    roles = [graph.role for graph in bundle.manifest.graphs]
    sessions = {role: open_session(bundle, role, device=device, threads=threads) for role in roles}
    used = sessions[roles[-1]].device
    result = replay(bundle, sessions)
    if as_json:
        terminal.print_json(
            {
                "bundle": bundle.name,
                "sha256": bundle.sha256,
                "device": used,
                "worst_levels": result.worst_levels,
                "tolerance": result.tolerance,
                "ok": result.ok,
            }
        )
    else:
        terminal.report(
            f"{bundle.name} on {used}: at most {result.worst_levels:.2g} of 255 levels from "
            f"PyTorch, allowed {result.tolerance:.2g}"
        )
    if not result.ok:
        raise BundleError(
            f"{bundle.name} does not draw on {used} as PyTorch did",
            hint="try --device cpu; if that fails too, get the bundle again",
        )


def manifest_of(path: Path) -> Manifest:
    """Only the manifest: to list a bundle its graphs need not be read."""
    data = archives.open_archive(path).read(MANIFEST, rules.MANIFEST_BYTES)
    return read_manifest(data, path.name)


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else path.iterdir()
    return sum(file.stat().st_size for file in files)
