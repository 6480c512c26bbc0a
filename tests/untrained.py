"""A tiny AttnGAN as training leaves it, without a training."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from t2i.models import attngan
from t2i.runtime import runs
from t2i.runtime.records import dumps, encode
from t2i.runtime.text import word_tokenizer

WORDS = "a bird red small yellow black blue white green belly wings long tail with left right"
VOCABULARY = WORDS.split()
LEFT, RIGHT = (1 + VOCABULARY.index(word) for word in ("left", "right"))
LENGTH = 7
SIZES = attngan.Settings(
    vocabulary=len(VOCABULARY) + 2,
    embedding=6,
    text_size=8,
    condition_size=4,
    noise_size=5,
    generator_width=4,
    residuals=1,
    first_px=8,
)


def unsettle(network: nn.Module) -> nn.Module:
    """As after training: batch statistics that are not 0 and 1."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, 0.0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            if module.affine:
                nn.init.normal_(module.weight, 1.0, 0.3)
                nn.init.normal_(module.bias, 0.0, 0.3)
    return network.eval()


def write_run(folder: Path, sizes: attngan.Settings = SIZES) -> runs.Run:
    """`recipe.json`, `tokenizer.json` and random weights."""
    torch.manual_seed(0)
    recipe = runs.Recipe(
        schema=runs.SCHEMA,
        version="0.1.0",
        system="attngan",
        preset="toy",
        settings={"steps": 1},
        network=encode(sizes),
        text=runs.TextSettings(length=LENGTH, unknown="drop"),
        classes=(),
        data={"kind": "birds", "pictures": 192},
        needs={},
        images_seen=16,
        steps=1,
        finished=True,
        facing=runs.Facing(LEFT, RIGHT, noise=2),
    )
    folder.mkdir(parents=True)
    (folder / runs.RECIPE).write_text(dumps(recipe), encoding="utf-8")
    (folder / runs.TOKENIZER).write_bytes(word_tokenizer(VOCABULARY))
    weights = {
        f"{prefix}.{name}": value
        for prefix, network in attngan.networks(sizes).items()
        for name, value in unsettle(network).state_dict().items()
    }
    save_file(weights, folder / runs.WEIGHTS)
    return runs.Run(folder)
