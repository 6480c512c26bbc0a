"""A tiny AttnGAN as training leaves it, without a training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from t2i.models import attngan
from t2i.runtime import runs
from t2i.runtime.records import dumps, encode
from t2i.runtime.text import vocabulary_size, word_tokenizer

WORDS = ["a", "bird", "black", "blue", "left", "red", "right", "small", "white", "wings"]
SIZES = attngan.Settings(
    vocabulary=len(WORDS) + 2,
    embedding=6,
    text_size=8,
    condition_size=4,
    noise_size=5,
    generator_width=4,
    residuals=1,
    first_px=8,
)


def write_run(folder: Path, sizes: attngan.Settings = SIZES) -> runs.Run:
    """`recipe.json`, `tokenizer.json` and random weights."""
    tokenizer = word_tokenizer(WORDS)
    assert vocabulary_size(tokenizer) == sizes.vocabulary
    torch.manual_seed(0)
    networks = attngan.networks(sizes)
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version="0.1.0",
        system="attngan",
        preset="toy",
        settings={"steps": 1},
        network=encode(sizes),
        text=runs.TextSettings(length=7, unknown="drop"),
        classes=(),
        data={"kind": "birds"},
        needs={},
        images_seen=16,
        steps=1,
        finished=True,
        facing=runs.Facing(left=1 + WORDS.index("left"), right=1 + WORDS.index("right"), noise=2),
    )
    folder.mkdir(parents=True)
    (folder / runs.RECIPE).write_text(dumps(recipe))
    (folder / runs.TOKENIZER).write_bytes(tokenizer)
    save_file(
        {
            f"{prefix}.{name}": value
            for prefix, network in networks.items()
            for name, value in network.state_dict().items()
        },
        folder / runs.WEIGHTS,
    )
    return runs.Run(folder)


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    return write_run(tmp_path / "run")


@pytest.fixture
def gru_run(tmp_path: Path) -> runs.Run:
    return write_run(tmp_path / "gru", replace(SIZES, cell="gru"))


@pytest.fixture
def wide_run(tmp_path: Path) -> runs.Run:
    """Wide enough that weights outweigh the graph around them."""
    return write_run(tmp_path / "wide", replace(SIZES, generator_width=24))
