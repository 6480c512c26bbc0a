"""The licences of all that the test command of the README installs, as its packages tell them.

Refresh the list after a change of constraints.txt: `PYTHONPATH=tests python -m house.licences`.
"""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from house.tree import ROOT
from packaging.requirements import Requirement

FILE = ROOT / "docs" / "licences.md"
EXTRAS = {
    "drawing": ("cpu",),
    "training": ("train",),
    "export": ("export",),
    "vectors in HDF5": ("hdf5",),
    "reports": ("report",),
    "many machines": ("scale",),
    "tests": ("dev",),
}
"""What packages are for: who is asked for first, gets the name."""
HEAD = """# Licences of what is installed

t2i is under the [Apache licence 2.0](../LICENSE), its shipped weights and bundles included: they
were trained on drawings of our own renderer. None of the packages below is part of it; pip installs
them. Each licence is what the package's own metadata says, in the versions of
[constraints.txt](../constraints.txt), which the tests check.

`pip install ".[cpu]"` brings what drawing needs and nothing else. Not installed by tests, and not
below: `onnxruntime-gpu` (MIT), which takes the place of `onnxruntime` on a card; NVIDIA's libraries
behind it and behind PyTorch's builds for cards, and TensorRT, which are proprietary.

| package | first needed for | licence |
|---|---|---|
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constrained() -> list[str]:
    """The packages of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line]


def licence(package: Distribution) -> str:
    """In the words of its author."""
    about = package.metadata
    classifiers = about.get_all("Classifier") or []
    told = [each.split(" :: ")[-1] for each in classifiers if each.startswith("License ::")]
    return str(about.get("License-Expression") or " and ".join(told) or about.get("License"))


def needed(extras: tuple[str, ...]) -> set[str]:
    """All that is installed with these extras, by canonical names."""
    found: set[str] = set()
    waiting = [Requirement(f"t2i[{','.join(extras)}]")]
    while waiting:
        wanted = waiting.pop()
        for asked in wanted.extras or {""}:
            key = f"{canonical(wanted.name)}[{asked}]"
            if key in found:
                continue
            found |= {key, canonical(wanted.name)}
            try:
                requires = distribution(wanted.name).requires or []
            except PackageNotFoundError:  # of another system
                continue
            for each in map(Requirement, requires):
                if each.marker is None or each.marker.evaluate({"extra": asked}):
                    waiting.append(each)
    return found


def text() -> str:
    """The published file."""
    purposes: dict[str, str] = {}
    for purpose, extras in EXTRAS.items():
        for name in needed(extras):
            purposes.setdefault(name, purpose)
    rows = [
        f"| {name} | {purposes.get(canonical(name), 'tests')} | {licence(distribution(name))} |\n"
        for name in sorted(constrained(), key=str.lower)
    ]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
