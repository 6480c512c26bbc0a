"""CLIP's files: OpenAI's TorchScript archives, and state dicts with the same names."""

import math
from typing import Any

from t2i.export.official.kinds import Kind, Part, Shapes, count
from t2i.export.official.published import Published
from t2i.models import clip

NOTES = ("input_resolution", "context_length", "vocab_size")
"""Sizes that OpenAI's archives hold beside the weights."""


def sizes(shapes: Shapes) -> dict[str, Any]:
    vocabulary, text_width = shapes["token_embedding.weight"]
    return {
        "vocabulary": vocabulary,
        "length": shapes["positional_embedding"][0],
        "embed_size": shapes["text_projection"][1],
        "text_width": text_width,
        "text_layers": count(shapes, "transformer.resblocks.{}.ln_1.weight"),
        **(_transformer(shapes) if "visual.proj" in shapes else _residual(shapes)),
    }


def _transformer(shapes: Shapes) -> dict[str, Any]:
    width, _, patch_px, _ = shapes["visual.conv1.weight"]
    places = shapes["visual.positional_embedding"][0] - 1
    return {
        "image_layers": count(shapes, "visual.transformer.resblocks.{}.ln_1.weight"),
        "image_width": width,
        "patch_px": patch_px,
        "image_px": patch_px * math.isqrt(places),
    }


def _residual(shapes: Shapes) -> dict[str, Any]:
    places = shapes["visual.attnpool.positional_embedding"][0] - 1
    return {
        "image_layers": [
            count(shapes, f"visual.layer{stage}.{{}}.conv1.weight") for stage in (1, 2, 3, 4)
        ],
        "image_width": shapes["visual.conv3.weight"][0],
        "image_px": 32 * math.isqrt(places),
    }


CLIP = Kind(
    "CLIP",
    {**clip.RENAMES["clip"], **dict.fromkeys(NOTES, "")},
    ("visual.conv1.weight", "token_embedding.weight", "text_projection"),
    sizes,
    remark=lambda shapes: f"{shapes['token_embedding.weight'][0]:,} ids",
)

KINDS = (CLIP,)
PUBLISHED = {"clip": Published((Part("weights", "clip", (CLIP,)),), reads="pairs")}
