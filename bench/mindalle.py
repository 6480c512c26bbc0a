"""Files as large as min-dalle's own, of random weights: what does an export of them take?

    python -m bench.mindalle mega FOLDER
    t2i-export mindalle --weights FOLDER/dalle_bart_mega

The mega's take 10.5 GB, and its bundle as much again; the mini's 1.8 GB.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from t2i.models import mindalle, renames
from t2i.runtime import terminal

SIZES = {"mini": mindalle.MINI, "mega": mindalle.MEGA}
LEFT_OUT = ("look.first_norm.weight", "gated.first_norm.weight")
"""Gains that the official files lack."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["\u0120", *(f"\u0120{each}" for each in LETTERS)]
PIECES = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS, *WORDS]
MERGES = ["#version: 0.2", *(f"\u0120 {each}" for each in LETTERS)]


def write(size: str, folder: Path) -> None:
    """As `min-dalle` downloads them."""
    torch.manual_seed(0)
    transformer, detoker = folder / f"dalle_bart_{size}", folder / "vqgan"
    for each in (transformer, detoker):
        each.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        networks = mindalle.networks(SIZES[size])
    for prefix, network in networks.items():
        path = (detoker if prefix == "detoker" else transformer) / f"{prefix}.pt"
        torch.save(_official(prefix, network), path)
        terminal.report(f"wrote {path}")
    ids = {piece: number for number, piece in enumerate(PIECES)}
    (transformer / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    (transformer / "merges.txt").write_text("\n".join(MERGES) + "\n", encoding="utf-8")


def _official(prefix: str, network: nn.Module) -> dict[str, torch.Tensor]:
    """Weights by their official names, drawn so that numbers stay of their size on the way."""
    names = {ours: official for official, ours in mindalle.RENAMES[prefix].items()}
    return {
        str(renames.new_name(name, names)): _drawn(name, weight.shape)
        for name, weight in network.state_dict().items()
        if not name.endswith(LEFT_OUT)
    }


def _drawn(name: str, shape: torch.Size) -> torch.Tensor:
    if len(shape) == 1:
        return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    if name.startswith(("tokens", "places")):
        return 0.02 * torch.randn(shape)
    return shape[1:].numel() ** -0.5 * torch.randn(shape)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
