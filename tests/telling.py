"""A tiny DALL-E as training leaves it, without a training."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from t2i.models import dalle, dvae
from t2i.runtime import runs
from t2i.runtime.bytepairs import byte_pair_tokenizer
from t2i.runtime.records import dumps, encode

SIZES = dalle.Settings(
    vocabulary=514,  # of single bytes
    length=24,
    layers=3,
    width=128,
    dvae=dvae.Settings(image_px=32, codes=16, width=8, first_width=8),
)


def networks(sizes: dalle.Settings = SIZES) -> dict[str, torch.nn.Module]:
    """First weights, but for pictures that differ more."""
    torch.manual_seed(0)
    made = dalle.networks(sizes)
    with torch.no_grad():
        for weight in made["decoder"].parameters():
            weight.mul_(3)
    return made


def write_run(folder: Path) -> runs.Run:
    """`recipe.json`, `tokenizer.json` and these weights."""
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version="0.1.0",
        system="dalle",
        preset="toy",
        settings={"steps": 1},
        network=encode(SIZES),
        text=runs.TextSettings(length=SIZES.length, unknown="keep"),
        classes=(),
        data={"kind": "birds", "pictures": 192},
        needs={},
        images_seen=16,
        steps=1,
        finished=True,
        facing=None,
    )
    folder.mkdir(parents=True)
    (folder / runs.RECIPE).write_text(dumps(recipe), encoding="utf-8")
    (folder / runs.TOKENIZER).write_bytes(byte_pair_tokenizer([]))
    weights = {
        f"{prefix}.{name}": value.contiguous()
        for prefix, network in networks().items()
        for name, value in network.state_dict().items()
    }
    save_file(weights, folder / runs.WEIGHTS)
    return runs.Run(folder)
