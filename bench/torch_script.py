"""What one would write without t2i-run: load the weights in PyTorch, draw, save.

python bench/torch_script.py               # the weights that ship
python bench/torch_script.py runs/attngan/001-birds256
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from t2i.export.trained import Trained, find_run, load
from t2i.runtime import runs
from t2i.runtime.bundle import Text
from t2i.runtime.text import Tokenizer


def draw(trained: Trained, tokenizer: Tokenizer, captions: Sequence[str]) -> torch.Tensor:
    """Levels (B, H, W, 3)."""
    with torch.inference_mode():
        said = trained.networks["text"](torch.from_numpy(tokenizer.encode(captions)))
        noise = torch.randn(len(captions), trained.sizes.noise_size)
        detail = torch.randn(len(captions), trained.sizes.condition_size)
        pictures = trained.networks["generator"](noise, detail, *said).images[-1]
        levels = ((pictures + 1) * 127.5).round().clamp(0, 255).byte()
    return levels.permute(0, 2, 3, 1)


def reader(run: runs.Run) -> Tokenizer:
    text = Text("tokenizer.json", "", run.recipe.text.length, run.recipe.text.unknown)
    return Tokenizer.from_json(run.tokenizer, text)


def main(folder: str | None = None) -> None:
    run = find_run("attngan", Path(folder) if folder else None)
    (picture,) = draw(load(run), reader(run), ["a red bird"])
    Image.fromarray(picture.numpy()).save("bird.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
