"""DALL-E's `encoder.pkl` and `decoder.pkl`: networks that were pickled whole."""

from typing import Any

from t2i.export.official.kinds import Kind, Part, Shapes, count
from t2i.export.official.published import Published
from t2i.models import dvae

MARKS = ("blocks.input.w", "blocks.group_1.block_1.res_path.conv_1.w", "blocks.output.conv.w")
COLOURS = 3


def encoder_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "codes": shapes["blocks.output.conv.w"][0],
        "width": shapes["blocks.input.w"][0],
        **_blocks(shapes),
    }


def decoder_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "codes": shapes["blocks.input.w"][1],
        "width": shapes["blocks.output.conv.w"][1],
        "first_width": shapes["blocks.input.w"][0],
        **_blocks(shapes),
    }


def _blocks(shapes: Shapes) -> dict[str, int]:
    return {"blocks": count(shapes, "blocks.group_1.block_{}.res_path.conv_1.w", first=1)}


ENCODER = Kind(
    "the encoder of DALL-E's dVAE",
    dvae.RENAMES["encoder"],
    MARKS,
    encoder_sizes,
    lambda shapes: shapes["blocks.input.w"][1] == COLOURS,
)
DECODER = Kind("the decoder of DALL-E's dVAE", dvae.RENAMES["decoder"], MARKS, decoder_sizes)

KINDS = (ENCODER, DECODER)
PUBLISHED = {
    "dvae": Published(
        (
            Part("weights", "decoder", (DECODER,)),
            Part("image-weights", "encoder", (ENCODER,)),
        ),
        pixels="truncate",
    ),
}
