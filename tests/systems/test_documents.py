"""Every command in the blocks of the documents is run, but those that ELSEWHERE gives a reason for.

Data sets and scores are cut to a few pictures. A plain `t2i-train SYSTEM --preset toy` or
`t2i-export SYSTEM` is what the rest of this suite has done.
"""

import re
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from house.test_documents import APPS, DOCUMENTS, FENCE, commands
from house.tree import name
from systems.columns import Column, command
from systems.desk import draw, lay

from t2i.models.catalog import CATALOG
from t2i.runtime.runs import Run

pytestmark = pytest.mark.slow

ELSEWHERE = {
    "needs a card": r"--device |--tensorrt",
    "needs other people's weights: tests/export/official": (
        r"weights |--inspect|^t2i-export --embeddings|vgg=|--model (attngan|dmgan|controlgan"
        r"|stylegan2|hdgan|stackgan|gancls|clip|mindalle|stream)( |$)"
        r"|^t2i-score (fid,kid,is|fid,is|is|vs --model hdgan)"
    ),
    "needs photographs": r"--preset (cub|coco|cifar|flowers) .*--data (?!pictures --check)|flowers",
    "is an ablation: tests/train/recipes": r"^t2i-train \w+ (--preset toy )?--set",
    "needs a cluster or a store: tests/runtime": r"--engine ray|s3:",
    "takes minutes: tests/export": r"attngan --int8",
    "takes hours": (
        r"--preset (birds\w*|features)\b|-birds\d* |-birds128|runtime/bundles|runs/survey"
    ),
    "waits: tests/runtime/test_serving.py": r"--serve",
}
"""Why a command is not run here -> how to know it."""


def why_not(line: str) -> list[str]:
    return [reason for reason, pattern in ELSEWHERE.items() if re.search(pattern, line)]


def shortened(words: list[str]) -> list[str]:
    """The arguments of a command, with less to do."""
    program, *arguments = words
    if program == "t2i-score" and "--model" in arguments:
        return [*arguments, "--total", "8"]
    if program == "t2i-train" and "--write-data" in arguments:
        return [*arguments, "--set", "count=120"]
    return arguments


def typed(page: Path) -> list[str]:
    blocks = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [line for block in blocks for line in commands(block[0])]


PAGES = [page for page in DOCUMENTS if page.name != "card.md" and typed(page)]


def test_every_reason_is_one_of_a_command() -> None:
    given = {reason for page in PAGES for line in typed(page) for reason in why_not(line)}
    assert given == set(ELSEWHERE)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_commands_of_a_document_run(
    page: Path,
    trained: Callable[[str], Run],
    exported: Callable[[str], Column],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bring(system: str) -> None:
        """Put a system's run and bundle where the commands would have left them."""
        run, bundle = Path("runs", system, "001-toy"), home / "bundles" / f"{system}-toy.t2i"
        for link, target in ((run, trained(system).folder), (bundle, exported(system).path)):
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(target, target_is_directory=True)

    lines = [line for line in typed(page) if not why_not(line)]
    monkeypatch.chdir(tmp_path)
    lay(tmp_path)
    if not any("--out birds" in line for line in lines):
        draw(tmp_path / "birds", seed=9)
    if any("--out bird.png" in line for line in lines):
        (tmp_path / "bird.png").unlink()
    for line in lines:
        words = shlex.split(line)
        for system in re.findall(r"\b([a-z]\w*)-toy\b|runs/(\w+)/001-toy", line):
            bring("".join(system))
        trains = words[0] == "t2i-train" and words[2:] == ["--preset", "toy"]
        exports = words[0] == "t2i-export" and words[2:] == [] and words[1] in CATALOG
        if trains or exports:
            bring(words[1])
        else:
            command(import_module(APPS[words[0]]).app, shortened(words))
