"""The documents say what is true: their commands parse, their links lead somewhere."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from house.tree import ROOT, files, name, python_files

DOCUMENTS = [path for path in files() if path.suffix == ".md" and "goldens" not in path.parts]
SET_UP = "python3 -m venv .venv && . .venv/bin/activate && "
INSTALL = SET_UP + 'pip install ".[cpu]" && t2i-run "a red bird"'
TEST = SET_UP + 'pip install -c constraints.txt -e ".[cpu,dev]" && pytest -n 2 --dist loadgroup'
APPS = {
    "t2i-run": "t2i.runtime.cli.run",
    "t2i-edit": "t2i.runtime.cli.edit",
    "t2i-score": "t2i.runtime.cli.score",
    "t2i-search": "t2i.runtime.cli.search",
    "t2i-classify": "t2i.runtime.cli.classify",
    "t2i-train": "t2i.train.cli",
    "t2i-export": "t2i.export.cli",
}
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OURS = re.compile(r"\bt2i-(?:run|score|train|export|edit|search|classify)\b")
# In a message between backticks, or as a line of its own in the examples of a `--help`.
SAID_IN_CODE = re.compile(rf"`({OURS.pattern}[^`{{}}\n]*)`")
SHOWN_IN_HELP = re.compile(rf"^({OURS.pattern}(?:[^`{{}}#\n]|{{}})*)", re.MULTILINE)


def commands(text: str) -> Iterator[str]:
    """Each of our commands in the code of a document, up to a pipe, a comment or the next one."""
    blocks = FENCE.findall(text)
    for line in [*"\n".join(blocks).splitlines(), *SPAN.findall(FENCE.sub("", text))]:
        for part in re.split(r"&&|\|\||[|;>→]|\s#", line):
            command = part.strip().removeprefix("$ ")
            if OURS.match(command):
                yield command


def parse(command: str) -> None:
    """Read a command line as its program would, without running it."""
    program, *arguments = shlex.split(command)
    main = typer.main.get_command(import_module(APPS[program]).app)
    main.make_parser(main.context_class(main)).parse_args(arguments)


def examples() -> list[tuple[str, str]]:
    """(file, command) for each command that a document or a message of the program names."""
    found = [
        (name(path), command)
        for path in DOCUMENTS
        for command in commands(path.read_text(encoding="utf-8"))
    ]
    for path in python_files("runtime", "models", "train", "export"):
        text = path.read_text(encoding="utf-8")
        for pattern in (SAID_IN_CODE, SHOWN_IN_HELP):
            found += [(name(path), command.strip()) for command in pattern.findall(text)]
    return sorted(set(found))


@pytest.mark.parametrize(("document", "command"), examples())
def test_a_command_that_is_written_down_can_be_typed(document: str, command: str) -> None:
    parse(command)


def test_a_command_that_does_not_exist_is_found() -> None:
    block = "```console\n$ t2i-paint x; t2i-search --wish y | less\n```\n"
    text = f"Say `t2i-run 'a b' --pony` or\n{block}"
    assert list(commands(text)) == ["t2i-search --wish y", "t2i-run 'a b' --pony"]
    for command in commands(text):
        with pytest.raises(Exception, match=r"pony|wish"):
            parse(command)


def test_the_first_screen_of_the_readme_installs_and_tests() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert INSTALL in lines[:40]
    between = lines[lines.index("<!-- test command -->") + 1 : lines.index("<!-- end -->")]
    assert [line for line in between if line and not line.startswith("```")] == [TEST]
    assert TEST in lines[:60]


@pytest.mark.parametrize("page", ["README.md", "docs/draw.md"])
def test_the_python_of_the_documents_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["pictures"].shape == (2, 256, 256, 3)
    assert (tmp_path / "bird.png").is_file()


# A bundle carries a copy of its system's card, whose links are right where the card lies.
WITH_LINKS = [path for path in DOCUMENTS if path.name != "card.md"]


@pytest.mark.parametrize("document", WITH_LINKS, ids=name)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if "://" not in link]
    assert not [link for link in local if link and not (document.parent / link).exists()]


def test_only_two_extras_choose_an_onnx_runtime() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    naming = {extra for extra, needs in extras.items() if "onnxruntime" in " ".join(needs)}
    assert naming == {"cpu", "gpu"}


def test_the_constraints_pin_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert pins == sorted(pins, key=str.lower)
