"""A system whose sentences come from elsewhere: from a file of vectors, or another encoder."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import failed
from PIL import Image
from systems.columns import CAPTIONS, STEPS, command
from typer.testing import CliRunner

from t2i.export.cli import app as export_app
from t2i.runtime import runs
from t2i.runtime.bundle import Bundle
from t2i.runtime.cli.run import app as run_app
from t2i.train.cli import app as train_app

pytestmark = pytest.mark.slow

E, PX = 7, 32
TEXTS = ("a red rose", "one blue lily", "Lilies, yellow ones")
SMALL = ["generator_width=4", "critic_width=4", "checkpoint_every=9", f"steps={STEPS}"]


def garden(root: Path) -> Path:
    """A folder of labelled flowers, and beside it the vectors of their captions."""
    (root / "flowers").mkdir()
    for n in range(24):
        level = np.full((PX, PX, 3), 10 * n, np.uint8)
        Image.fromarray(level).save(root / "flowers" / f"{n}.png")
    rows = [
        {"file_name": f"{n}.png", "text": TEXTS[n % 3], "label": ["rose", "lily", "lily"][n % 3]}
        for n in range(24)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "flowers" / "metadata.jsonl").write_text(lines, encoding="utf-8")
    random = np.random.default_rng(0)
    np.savez(root / "vectors.npz", **{text: random.normal(size=E) for text in TEXTS})
    return root / "flowers"


def sets(*changes: str) -> list[str]:
    return [f"--set={each}" for each in changes]


def test_a_system_learns_from_vectors_of_a_file_and_draws_them(tmp_path: Path) -> None:
    flowers, vectors, out = garden(tmp_path), tmp_path / "vectors.npz", tmp_path / "run"
    changes = sets(*SMALL, f"embeddings={vectors}", f"px={PX}", "batch_size=8", "sample_every=4")
    order = ["tacgan", "--preset=flowers", f"--data={flowers}", f"--out={out}"]
    command(train_app, [*order, *changes])
    recipe = runs.Run(out).recipe
    assert recipe.needs == {}
    assert recipe.network["reader"] == {"text_size": E}
    assert (out / "samples" / f"{STEPS:08}.png").is_file()

    path = tmp_path / "flowers.t2i"
    command(export_app, ["tacgan", f"--run={out}", f"--out={path}"])
    manifest = Bundle.load(path).manifest
    assert (manifest.condition, manifest.text, manifest.preview) == ("vector", None, None)
    assert [graph.role for graph in manifest.graphs] == ["generator"]
    assert manifest.noise[0].distribution == "uniform"
    assert manifest.classes == ("lily", "rose")

    draw = [f"--model={path}", f"--out={tmp_path / 'drawn.png'}", "--json"]
    drawn = json.loads(command(run_app, [TEXTS[2], f"--embeddings={vectors}", *draw]))
    assert drawn["caption"] == TEXTS[2]
    command(run_app, [f"--model={path}", "--selftest"])
    assert "reads no captions" in failed(CliRunner().invoke(run_app, [TEXTS[0], *draw]), status=2)


def test_an_error_comes_before_anything_is_trained(tmp_path: Path) -> None:
    flowers, vectors, out = garden(tmp_path), tmp_path / "vectors.npz", tmp_path / "run"
    order = ["tacgan", "--preset=flowers", f"--data={flowers}", f"--out={out}", f"--set=px={PX}"]

    def refused(*arguments: str, status: int = 1) -> str:
        return failed(CliRunner().invoke(train_app, [*order, *arguments]), status)

    assert "--set embeddings=FILE" in refused(status=2)
    np.savez(vectors, **{TEXTS[0]: np.zeros(E)})
    assert "2 of 3 captions have no vector" in refused(f"--set=embeddings={vectors}")
    lines = (flowers / "metadata.jsonl").read_text().replace("label", "sort")
    (flowers / "metadata.jsonl").write_text(lines, encoding="utf-8")
    np.savez(vectors, **{text: np.zeros(E) for text in TEXTS})
    assert '"label": "rose"' in refused(f"--set=embeddings={vectors}")
    assert not out.exists()


def test_damsm_may_read_for_a_system_that_spells_otherwise(tmp_path: Path) -> None:
    matcher, out, path = tmp_path / "damsm", tmp_path / "run", tmp_path / "words.t2i"
    command(train_app, ["damsm", "--preset=toy", f"--out={matcher}", *sets(f"steps={STEPS}")])
    changes = sets(*SMALL, "encoder=damsm", "characters=none")
    order = ["tacgan", "--preset=toy", f"--with=damsm={matcher}", f"--out={out}"]
    command(train_app, [*order, *changes])
    assert set(runs.Run(out).recipe.needs) == {"damsm"}
    command(export_app, ["tacgan", f"--run={out}", f"--out={path}"])
    (text, _) = Bundle.load(path).manifest.graphs
    assert [each.name for each in text.outputs] == ["sentence", "facing"]
    picture = tmp_path / "bird.png"
    command(run_app, [CAPTIONS[1], f"--model={path}", f"--out={picture}"])
    assert picture.is_file()
