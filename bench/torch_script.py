"""What one would write without t2i-run: load the shipped weights in PyTorch, draw, save."""

import torch
from PIL import Image

from t2i.export.trained import load
from t2i.runtime import runs
from t2i.runtime.bundle import Text
from t2i.runtime.text import Tokenizer

run = runs.shipped("attngan")
assert run is not None, "no weights ship"
trained = load(run)
text = Text("tokenizer.json", "", run.recipe.text.length, run.recipe.text.unknown)
tokenizer = Tokenizer.from_json(run.tokenizer, text)
with torch.inference_mode():
    tokens = torch.from_numpy(tokenizer.encode(["a red bird"]))
    said = trained.networks["text"](tokens)
    noise = torch.randn(1, trained.sizes.noise_size)
    detail = torch.randn(1, trained.sizes.condition_size)
    picture = trained.networks["generator"](noise, detail, *said).images[-1][0]
levels = ((picture + 1) * 127.5).round().clamp(0, 255).byte()
Image.fromarray(levels.permute(1, 2, 0).numpy()).save("bird.png")
