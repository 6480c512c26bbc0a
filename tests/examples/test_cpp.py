"""The C++ examples draw what Python draws, and say what is wrong in words."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
from commands import differ, pixels
from house.tree import ROOT

from t2i.runtime import places
from t2i.runtime.draw import load

SOURCES = ROOT / "examples" / "cpp"
SANITIZERS = "-Werror -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
CAPTION = "A small RED bird, with blue wings!"

Program = Callable[..., subprocess.CompletedProcess[str]]


def test_the_header_is_short_and_needs_onnx_runtime_alone() -> None:
    lines = (SOURCES / "t2i.hpp").read_text().splitlines()
    assert len(lines) <= 300
    included = re.findall(r"^#include <(.+)>$", "\n".join(lines), re.MULTILINE)
    others = [name for name in included if "." in name]
    assert others == ["dlfcn.h", "onnxruntime_cxx_api.h"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the comment in CMakeLists.txt says, with sanitizers."""
    folder = tmp_path_factory.mktemp("cpp")
    command = ["cmake", "-S", SOURCES, "-B", folder, f"-DCMAKE_CXX_FLAGS={SANITIZERS}"]
    if headers := os.environ.get("ONNXRUNTIME_INCLUDE"):
        command.append(f"-DONNXRUNTIME_INCLUDE={headers}")
    for each in (command, ["cmake", "--build", folder, "--parallel", "2"]):
        done = subprocess.run(each, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.system
@pytest.mark.slow
def test_the_code_of_the_readme_compiles(tmp_path: Path) -> None:
    text = (SOURCES / "README.md").read_text()
    (code,) = re.findall(r"^```cpp\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    include, _, body = code.partition("\n\n")
    (tmp_path / "readme.cpp").write_text(f"{include}\nint main() {{\n{body}}}\n")
    headers = os.environ.get("ONNXRUNTIME_INCLUDE", "/usr/include/onnxruntime")
    command = ["c++", "-std=c++17", "-fsyntax-only", f"-I{SOURCES}", f"-I{headers}", "readme.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def program(built: Path, tmp_path: Path) -> Program:
    """Runs a program in a folder of its own, with the library of the Python wheel."""
    (library,) = Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*")

    def run(name: str, *arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "T2I_ONNXRUNTIME": str(library), **changes}
        command = [built / name, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def failed(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    assert done.returncode == status, done.stderr
    assert re.search(r"^error: .+\n hint: .+\n\Z", done.stderr, re.MULTILINE), done.stderr
    return done.stderr


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "ppm"])
@pytest.mark.parametrize("seed", [0, 2**38 - 1])
def test_both_programs_draw_what_python_draws(
    ending: str, seed: int, program: Program, tiny: Path, tmp_path: Path
) -> None:
    wanted = load(tiny, device="cpu", threads=1).draw([CAPTION], seed=seed)[0]
    for name, model in {"draw": tiny.with_suffix(".onnx"), "bundle": tiny}.items():
        out = tmp_path / f"{name}.{ending}"
        done = program(name, model, CAPTION, out, str(seed))
        assert done.returncode == 0, done.stderr
        assert differ(pixels(out), wanted) <= 1


@pytest.mark.system
@pytest.mark.slow
def test_both_programs_draw_the_bundle_that_ships(
    program: Program, birds: Path, tmp_path: Path
) -> None:
    wanted = load("birds", device="cpu", threads=1).draw([CAPTION], seed=7)[0]
    for name, model in {"draw": birds, "bundle": places.find("birds")}.items():
        out = tmp_path / f"{name}.png"
        done = program(name, model, CAPTION, out, "7")
        assert done.returncode == 0, done.stderr
        assert differ(pixels(out), wanted) <= 1


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("name", ["draw", "bundle"])
def test_captions_that_cannot_be_drawn_are_errors(name: str, program: Program, tiny: Path) -> None:
    model = tiny if name == "bundle" else tiny.with_suffix(".onnx")
    assert "is known" in failed(program(name, model, "zyzzyva", "x.png"))
    assert "is known" in failed(program(name, model, "", "x.png"))
    assert "70000 bytes" in failed(program(name, model, "a" * 70_000, "x.png"))
    for seed in ("-1", str(2**38)):
        assert "out of range" in failed(program(name, model, "a red bird", "x.png", seed))
    for seed in ("seven", "7x", "", "9" * 30):
        assert "no number" in failed(program(name, model, "a red bird", "x.png", seed), status=2)
    assert "ending" in failed(program(name, model, "a red bird", "x.bmp"))
    assert "cannot be written" in failed(program(name, model, "a red bird", "no/x.png"))
    for words in ((), (model, "a red bird", "x.png", "7", "more")):
        assert f"hint: {name} " in failed(program(name, *words), status=2)


@pytest.mark.system
@pytest.mark.slow
def test_files_that_are_no_single_file_are_errors(
    program: Program, tiny: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(tiny.with_suffix(".onnx").read_bytes()[:-500])
    said = {
        "cannot be read": tmp_path / "none.onnx",
        "cannot be loaded": broken,
        "no single file": tiny / "text.onnx",
    }
    for what, path in said.items():
        assert what in failed(program("draw", path, "a red bird", "x.png"))


@pytest.mark.system
@pytest.mark.slow
def test_bundles_that_are_damaged_or_of_another_kind_are_errors(
    program: Program, tiny: Path, tmp_path: Path
) -> None:
    def spoilt(change: Callable[[Path], object]) -> str:
        own = tmp_path / "own.t2i"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(tiny, own)
        change(own)
        return failed(program("bundle", own, "a red bird", "x.png"))

    def manifest(**fields: object) -> Callable[[Path], object]:
        def change(own: Path) -> None:
            about = json.loads((own / "manifest.json").read_text())
            (own / "manifest.json").write_text(json.dumps({**about, **fields}))

        return change

    assert "cannot be read" in spoilt(lambda own: (own / "manifest.json").unlink())
    assert "damaged" in spoilt(lambda own: (own / "manifest.json").write_text("{"))
    assert "damaged" in spoilt(lambda own: (own / "tokenizer.json").write_text("[]"))
    assert "not the file" in spoilt(lambda own: (own / "text.onnx").write_bytes(b""))
    assert "cannot be read" in spoilt(lambda own: (own / "tokenizer.json").unlink())
    assert "schema" in spoilt(manifest(schema=2))
    assert "no captions" in spoilt(manifest(pipeline="score"))
    assert "too much noise" in spoilt(
        manifest(noise=[{"name": "noise", "shape": [2**20, 2**20], "distribution": "normal"}])
    )


@pytest.mark.system
@pytest.mark.slow
def test_a_library_that_cannot_be_used_is_an_error(program: Program, tiny: Path) -> None:
    arguments = ("draw", tiny.with_suffix(".onnx"), "a red bird", "x.png")
    assert "cannot be loaded" in failed(program(*arguments, T2I_ONNXRUNTIME="none.so"))
    assert "no ONNX Runtime" in failed(program(*arguments, T2I_ONNXRUNTIME="libm.so.6"))
