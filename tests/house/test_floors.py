"""Who may import whom, and what a light start may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import CODE, ROOT, name, parse, python_files

RUNTIME_MAY_IMPORT = {"numpy", "onnxruntime", "PIL", "tokenizers", "typer"}
# What only the module that serves it may import.
ALSO = {
    "runtime/terminal.py": {"rich"},
    "runtime/bytepairs.py": {"ftfy"},
    "runtime/card.py": {"tensorrt"},
    "runtime/embeddings.py": {"h5py"},
    "runtime/score/locations.py": {"upath"},
    "runtime/score/ray.py": {"ray"},
    "runtime/score/charts.py": {"matplotlib"},
    "runtime/score/report.py": {"jinja2", "matplotlib"},
}

HEAVY = {"numpy", "torch", "onnx", "onnxruntime", "PIL", "rich", "tokenizers", "ftfy", "ray"}

WITHOUT_TORCH = """
import importlib, pkgutil, sys

REFUSED = {"torch", "torchvision", "safetensors", "onnx", "onnxscript"}
REFUSED |= {"ray", "upath", "matplotlib", "jinja2", "h5py"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"{name} is kept out by this test", name=name)

sys.meta_path.insert(0, Refuse())
import t2i.runtime
for module in pkgutil.walk_packages(t2i.runtime.__path__, "t2i.runtime."):
    importlib.import_module(module.name)
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fresh interpreter, away from the repository."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT.anchor)


def imported(module: ast.Module) -> set[str]:
    """Top-level names of all that a module imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {each.partition(".")[0] for each in found}


def test_the_import_contracts_hold() -> None:
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_floors_are_imported_through_the_package() -> None:
    bare = {"runtime", "models", "train", "export"}
    guilty = {name(path): imported(parse(path)) & bare for path in python_files(*CODE)}
    assert not {path: names for path, names in guilty.items() if names}


@pytest.mark.parametrize("path", python_files("runtime"), ids=name)
def test_the_runtime_imports_only_what_its_base_install_brings(path: Path) -> None:
    allowed = RUNTIME_MAY_IMPORT | ALSO.get(name(path), set()) | {"t2i"}
    assert imported(parse(path)) <= allowed | sys.stdlib_module_names


def test_every_module_of_the_runtime_is_importable_without_torch() -> None:
    done = run(WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr


def test_the_shipped_bundle_draws_without_torch() -> None:
    done = run(WITHOUT_TORCH + "import t2i; assert t2i.load('birds')('a red bird').width == 256")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module",
    [
        "t2i",
        *(f"t2i.runtime.cli.{each}" for each in ("run", "edit", "score", "search", "classify")),
        *("t2i.train.cli", "t2i.export.cli"),
    ],
)
def test_importing_costs_nothing_heavy(module: str) -> None:
    done = run("import sys; __import__(sys.argv[1]); print(*sys.modules)", module)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.split())
