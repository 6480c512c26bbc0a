"""min-dalle: what it downloads, a folder of a transformer, and the VQGAN that all of them share."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from t2i.export.official.kinds import Kind, Part, Role, Shapes
from t2i.export.official.published import Files, Published
from t2i.models import mindalle
from t2i.runtime.errors import ExportError
from t2i.runtime.records import encode

SIZES = (mindalle.MINI, mindalle.MEGA)
FILES: dict[Role, str] = {"encoder": "encoder.pt", "weights": "decoder.pt", "detoker": "detoker.pt"}
WORDS = ("vocab.json", "merges.txt")
PASS = (
    "pass min-dalle's folder of a transformer, dalle_bart_mini, with its vqgan beside it: "
    "`pip install min-dalle` downloads both when it first draws"
)


def sizes(shapes: Shapes) -> dict[str, Any]:
    """Which of the published sizes this is.

    Raises:
        ValueError: none of them.
    """
    told = shapes["lm_head.weight"]
    for each in SIZES:
        if told == (each.image_vocabulary + 1, each.width):
            found: dict[str, Any] = encode(each)
            return found
    raise ValueError("it is neither the mini nor the mega")


def in_folder(folder: Path) -> Files:
    """The files of a folder.

    Raises:
        ExportError: there is none, or one is missing in it.
    """
    paths = {role: folder / name for role, name in FILES.items()}
    if not paths["detoker"].is_file():
        paths["detoker"] = folder.parent / "vqgan" / FILES["detoker"]
    words = [folder / name for name in WORDS]
    if not folder.is_dir():
        raise ExportError(f"{folder} is no folder", hint=PASS)
    missing = [path.name for path in (*paths.values(), *words) if not path.is_file()]
    if missing:
        raise ExportError(f"{folder} has no {', '.join(missing)}", hint=PASS)
    return Files(paths, words[0])


def gains(network: nn.Module) -> dict[str, Tensor]:
    """Gains of norms, all 1: files lack those that a linear layer follows, which need none."""
    return {
        f"{name}.weight": torch.ones_like(module.weight)
        for name, module in network.named_modules()
        if isinstance(module, nn.LayerNorm)
    }


DECODER = Kind(
    "the decoder of min-dalle",
    mindalle.RENAMES["decoder"],
    ("lm_head.weight", "embed_tokens.weight"),
    sizes,
    lacking=gains,
)
ENCODER = Kind(
    "the encoder of min-dalle",
    mindalle.RENAMES["encoder"],
    ("layernorm_embedding.weight", "embed_tokens.weight"),
    lacking=gains,
)
DETOKER = Kind(
    "the detoker of min-dalle",
    mindalle.RENAMES["detoker"],
    ("post_quant_conv.weight", "embedding.weight"),
)

KINDS = (DECODER, ENCODER, DETOKER)
PUBLISHED = {
    "mindalle": Published(
        (
            Part("weights", "decoder", (DECODER,)),
            Part("encoder", "encoder", (ENCODER,)),
            Part("detoker", "detoker", (DETOKER,)),
        ),
        reads="pieces",
        folder=in_folder,
    ),
}
