"""What is promised from one version to the next, and that it is said the same everywhere."""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest
from house import api, licences
from house.tree import ROOT

import t2i
from t2i.runtime.bundle import SCHEMA

CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
VERSION = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)


def test_the_public_names_are_those_that_are_listed() -> None:
    """Else, where it is meant: say it in CHANGELOG.md, then PYTHONPATH=tests python -m house.api"""
    assert api.FILE.read_text(encoding="utf-8") == api.text()


def untyped(node: ast.AST) -> Iterator[str]:
    """Parameters, returns and fields without a type, or with one that says nothing."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef) and (
            each.name in api.SHOWN or not each.name.startswith("_")
        ):
            given = each.args
            taken = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            types = {arg.arg: arg.annotation for arg in taken if arg}
            types |= {"return": each.returns}
            for name, kind in types.items():
                bare = isinstance(kind, ast.Name) and kind.id == "Any"
                if name not in ("self", "cls") and (kind is None or bare):
                    yield f"{each.name}: {name}"


@pytest.mark.parametrize(("name", "public"), list(api.public()))
def test_each_public_name_tells_its_types(name: str, public: object) -> None:
    """mypy, which is strict on all of it, sees that they are true."""
    assert list(untyped(api.definition(public))) == [], name


def test_a_missing_type_is_found() -> None:
    bad = ast.parse("def f(a: int, b, *, c: Any) -> None: ...\ndef g(): ...\ndef _h(x): ...")
    assert list(untyped(bad)) == ["f: b", "f: c", "g: return"]


def test_one_version_stands_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    citation = dict(re.findall(r"^([\w-]+): (.+)$", cited, re.MULTILINE))
    newest = VERSION.search(CHANGES)
    assert newest
    assert {project["version"], citation["version"], newest[1]} == {t2i.__version__}
    assert (citation["license"], citation["title"]) == (project["license"], project["name"])


def test_the_changelog_has_versions_and_kinds_of_changes() -> None:
    headings = re.findall(r"^##+ .*$", CHANGES, re.MULTILINE)
    assert all(VERSION.match(each) or each.removeprefix("### ") in KINDS for each in headings)
    numbers = [tuple(map(int, each[0].split("."))) for each in VERSION.findall(CHANGES)]
    assert numbers == sorted(set(numbers), reverse=True)


def test_versions_of_python_are_those_that_the_guide_says_were_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tried = re.findall(r"^\| (3\.\d+) \|", guide, re.MULTILINE)
    assert declared == tried
    assert project["requires-python"] == f">={declared[0]}"


def test_the_guide_tells_the_schema_of_bundles_that_is_in_use() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"Schema {SCHEMA} is in use" in guide


def test_the_licences_of_dependencies_are_listed() -> None:
    """Else: PYTHONPATH=tests python -m house.licences"""
    assert licences.FILE.read_text(encoding="utf-8") == licences.text()
