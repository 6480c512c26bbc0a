"""min-dalle: what it downloads, a folder of a transformer, and the VQGAN that all of them share."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from t2i.export.official.tables import open_checkpoint
from t2i.export.official.vocabulary import Vocabulary
from t2i.models import mindalle, renames
from t2i.runtime.asciipairs import ascii_pair_tokenizer
from t2i.runtime.errors import ExportError
from t2i.runtime.runs import TextSettings

SIZES = (mindalle.MINI, mindalle.MEGA)
FILES = ("encoder.pt", "decoder.pt", "detoker.pt", "vocab.json", "merges.txt")


def open_folder(folder: Path) -> tuple[mindalle.Settings, dict[str, nn.Module], Vocabulary]:
    """The networks of a folder, filled, and how they read captions.

    Raises:
        ExportError: a file is missing, or holds something else.
    """
    paths = {name: folder / name for name in FILES}
    if not paths["detoker.pt"].is_file():
        paths["detoker.pt"] = folder.parent / "vqgan" / "detoker.pt"
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise ExportError(
            f"{folder} has no {', '.join(missing)}",
            hint="pass min-dalle's folder of a transformer, dalle_bart_mini, with its vqgan beside "
            "it: `pip install min-dalle` downloads both when it first draws",
        )
    sizes = _sizes(_weights(paths["decoder.pt"]), folder)
    networks = mindalle.networks(sizes)
    for prefix, network in networks.items():
        found = renames.rename(_weights(paths[f"{prefix}.pt"]), mindalle.RENAMES[prefix])
        renames.load(network, {**_gains(network), **found})
    pieces, merges = (paths[name].read_bytes() for name in ("vocab.json", "merges.txt"))
    text = TextSettings(sizes.length, "keep")
    return sizes, networks, Vocabulary(ascii_pair_tokenizer(pieces, merges), text)


def _weights(path: Path) -> Mapping[str, Tensor]:
    checkpoint = open_checkpoint(path)
    return next(iter(checkpoint.tables.values()))


def _sizes(decoder: Mapping[str, Tensor], folder: Path) -> mindalle.Settings:
    """Which of the published sizes this is."""
    told = decoder["lm_head.weight"].shape if "lm_head.weight" in decoder else ()
    for sizes in SIZES:
        if told == (sizes.image_vocabulary + 1, sizes.width):
            return sizes
    raise ExportError(
        f"{folder} holds no transformer of a published size",
        hint="pass min-dalle's own files, of its mini or its mega",
    )


def _gains(network: nn.Module) -> dict[str, Tensor]:
    """Gains of norms, all 1: files lack those that a linear layer follows, which need none."""
    return {
        f"{name}.weight": torch.ones_like(module.weight)
        for name, module in network.named_modules()
        if isinstance(module, nn.LayerNorm)
    }
