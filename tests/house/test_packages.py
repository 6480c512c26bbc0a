"""What people install: names, wheel and sdist."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from house.test_documents import APPS
from house.tree import FLOORS, ROOT, files, name
from PIL import Image

import t2i

BUNDLES = ROOT / "runtime" / "bundles"
MEGABYTE = 10**6
ALONE = {"PYTHONPATH": ""}


def run(*command: str | Path, **environment: str) -> str:
    """Run a command outside the repository and give back what it wrote to stdout."""
    done = subprocess.run(
        command,
        cwd=ROOT.anchor,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(out: Path, *kinds: str) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", out, ROOT)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    build(out)
    return out


def contents(wheel: Path) -> dict[str, int]:
    """Name -> checksum of what a wheel installs beside its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            entry.filename: entry.CRC
            for entry in archive.infolist()
            if not entry.filename.startswith(f"t2i-{t2i.__version__}.dist-info/")
        }


def package_files() -> set[str]:
    """What a wheel must hold: the package, with the floors inside it."""
    found = {name(path) for path in files() if path.parent == ROOT / "t2i"}
    return found | {f"t2i/{name(path)}" for path in files() if name(path).startswith(FLOORS)}


def test_there_are_at_most_ten_public_names() -> None:
    assert len(t2i.__all__) <= 10
    assert t2i.__all__ == sorted(t2i.__all__)


@pytest.mark.parametrize("public", t2i.__all__)
def test_each_public_name_is_found(public: str) -> None:
    assert getattr(t2i, public) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        t2i.paint  # noqa: B018


def test_the_shipped_bundles_stay_small() -> None:
    sizes = {
        bundle.name: sum(part.stat().st_size for part in bundle.rglob("*") if part.is_file())
        for bundle in BUNDLES.glob("*.t2i")
    }
    assert sizes["birds.t2i"] <= 12 * MEGABYTE
    assert sum(sizes.values()) <= 30 * MEGABYTE


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert set(contents(wheel)) == package_files()


@pytest.mark.slow
def test_the_sdist_holds_everything_once_and_builds_the_same_wheel(
    built: Path, tmp_path: Path
) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    inside = [each.name.partition("/")[2] for each in members if each.isfile()]
    assert len(inside) == len(members), "only files: a link may not survive unpacking"
    assert {each for each in inside if each.startswith("t2i/")} == package_files()
    assert {each.partition("/")[0] for each in inside} == {
        *("t2i", ".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md"),
        *("constraints.txt", "pyproject.toml"),
    }
    (from_sdist,) = built.glob("*.whl")
    build(tmp_path, "--wheel")
    (from_tree,) = tmp_path.glob("*.whl")
    assert contents(from_sdist) == contents(from_tree)


@pytest.fixture(scope="module")
def programs(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel, made without a network: what the wheel
    needs is borrowed from the environment of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=os.name != "nt")
    home = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}))
    pip = (sys.executable, "-m", "pip", "--python", str(home / "python"), "install", "--quiet")
    (wheel,) = built.glob("*.whl")
    run(*pip, "--no-index", "--no-deps", wheel)
    # Of the folder named here no .pth is read, so that an editable t2i in it stays out of sight.
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (site / "borrowed.pth").write_text(f"{Path(np.__file__).parents[1]}\n")
    return home


@pytest.mark.slow
def test_the_installed_wheel_draws_outside_the_repository(programs: Path, tmp_path: Path) -> None:
    where = run(programs / "python", "-c", "import t2i; print(t2i.__file__)", **ALONE)
    assert Path(where.strip()).is_relative_to(programs.parent)
    picture = tmp_path / "bird.png"
    run(programs / "t2i-run", "a red bird", "--device=cpu", "--out", picture, **ALONE)
    with Image.open(picture) as drawn:
        wanted = t2i.load("birds", device="cpu")("a red bird")
        assert np.abs(np.asarray(drawn).astype(int) - np.asarray(wanted)).max() <= 1


@pytest.mark.slow
def test_every_program_is_installed_and_tells_what_it_does(programs: Path) -> None:
    for program in APPS:
        assert f"{program} " in run(programs / program, "--help", **ALONE)
    assert t2i.__version__ in run(programs / "t2i-run", "--version", **ALONE)
