"""Files of the systems that draw a sentence, and of the encoder that reads captions for them.

Their official code draws vectors that were made before. Without `--text-weights` so do the bundles.
"""

from typing import Any

from torch import Tensor

from t2i.export.official.kinds import Kind, Part, Shapes, count
from t2i.export.official.published import Published
from t2i.models import charcnnrnn, gancls, hdgan, stackgan, stackgan1, vs
from t2i.models.encoders import inceptionresnet
from t2i.runtime.text import character_tokenizer, vocabulary_size

KERNEL = 4
"""Letters, or what was found in them, that a convolution of the text encoder sees at once."""


def text_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "text_size": shapes["emb_proj.weight"][0],
        "first_width": shapes["conv1.weight"][0],
        "second_width": shapes["conv2.weight"][0],
        "recurrent_size": shapes["conv3.weight"][0],
        "recurrence": "gru" if "rnn.i2h_update.weight" in shapes else "relu",
    }


def first_sizes(shapes: Shapes) -> dict[str, Any]:
    """Of stage I of StackGAN."""
    doubled, text_size = shapes["ca_net.fc.weight"]
    widest, inputs = shapes["fc.0.weight"]
    return {
        "text_size": text_size,
        "condition_size": doubled // 2,
        "noise_size": inputs - doubled // 2,
        "generator_width": widest // (8 * 4 * 4),
        "first_px": 4 * 2 ** count(shapes, "upsample{}.1.weight", first=1),
    }


def second_sizes(shapes: Shapes) -> dict[str, Any]:
    """Of stage II, which holds stage I."""
    start = "STAGE1_G."
    first = {name.removeprefix(start): each for name, each in shapes.items() if start in name}
    return {
        **first_sizes(first),
        "refiner_width": shapes["encoder.0.weight"][0],
        "residuals": count(shapes, "residual.{}.block.0.weight"),
    }


def hdgan_sizes(shapes: Shapes) -> dict[str, Any]:
    """Of one stream, or of one that draws on top of another."""
    enlarged = any(name.startswith("generator_256.") for name in shapes)
    stream = {name.removeprefix("generator_256."): shape for name, shape in shapes.items()}
    doubled, text_size = stream["condEmbedding.linear.weight"]
    sides = sorted(int(name.split(".")[0][14:]) for name in stream if "tensor_to_img_" in name)
    largest = sides[-2] if enlarged else sides[-1]
    return {
        "text_size": text_size,
        "condition_size": doubled // 2,
        "noise_size": stream["vec_to_tensor.out.0.weight"][1] - doubled // 2,
        "generator_width": stream[f"tensor_to_img_{largest}.1.weight"][1],
        "residuals": count(stream, "scale_4.{}.res_block.0.1.weight"),
        "drawn_px": sides,
        "enlarged": enlarged,
    }


def gancls_sizes(shapes: Shapes) -> dict[str, Any]:
    condition_size, text_size = shapes["projection.0.weight"]
    layers = [int(name.split(".")[1]) for name in shapes if name.startswith("netG.")]
    return {
        "text_size": text_size,
        "condition_size": condition_size,
        "noise_size": shapes["netG.0.weight"][0] - condition_size,
        "generator_width": shapes[f"netG.{max(layers)}.weight"][0],
        "image_px": 4 * 2 ** (max(layers) // 3),
    }


def authors_sizes(shapes: Shapes) -> dict[str, Any]:
    """Of the authors' generator, whose layers that grow a map are the only ones by themselves."""
    condition_size, text_size = shapes["fcG.0.weight"]
    grown = [shape for name, shape in shapes.items() if name.count(".") == 2 and len(shape) == 4]
    return {
        "text_size": text_size,
        "condition_size": condition_size,
        "noise_size": grown[0][0] - condition_size,
        "generator_width": grown[-1][0],
        "bottlenecks": count(shapes, "netG.{}.branch.0.weight", first=2),
        "image_px": 4 * 2 ** (len(grown) - 1),
    }


def _unfolded(weight: Tensor) -> Tensor:
    """A convolution of Torch7, place by place: (outputs, 4 · inputs) -> (outputs, inputs, 4)."""
    return weight.unflatten(1, (KERNEL, -1)).transpose(1, 2)


TEXT = Kind(
    "char-CNN-RNN's text encoder",
    charcnnrnn.RENAMES["text"],
    ("conv1.weight", "emb_proj.weight", "rnn.i2h.weight"),
    text_sizes,
)
TEXT_LUA = Kind(
    TEXT.title,
    TEXT.names,
    TEXT.marks,
    text_sizes,
    lambda shapes: len(shapes["conv1.weight"]) == 2,
    {f"conv{place}.weight": _unfolded for place in (1, 2, 3)},
)
STACKGAN = Kind(
    "StackGAN's generator of stage II",
    stackgan.RENAMES["generator"],
    ("STAGE1_G.ca_net.fc.weight", "hr_joint.0.weight"),
    second_sizes,
)
STACKGAN1 = Kind(
    "StackGAN's generator of stage I",
    stackgan1.RENAMES["generator"],
    ("ca_net.fc.weight", "fc.0.weight", "upsample1.1.weight", "img.0.weight"),
    first_sizes,
)
STACKGAN_CRITIC = Kind(
    "a critic of StackGAN", stackgan.RENAMES["critic"], ("get_cond_logits.outlogits.0.weight",)
)
HDGAN = Kind(
    "HDGAN's generator",
    hdgan.RENAMES["generator"],
    ("condEmbedding.linear.weight", "vec_to_tensor.out.0.weight"),
    hdgan_sizes,
)
HDGAN_LARGE = Kind(
    "HDGAN's generator of 512 px",
    hdgan.RENAMES["generator"],
    ("generator_256.condEmbedding.linear.weight", "tensor_to_img_512.1.weight"),
    hdgan_sizes,
)
HDGAN_CRITIC = Kind("a critic of HDGAN", hdgan.RENAMES["critic"], ("context_emb_pipe_64.0.weight",))
GANCLS = Kind(
    "GAN-CLS's generator",
    gancls.RENAMES["generator"],
    ("projection.0.weight", "netG.0.weight"),
    gancls_sizes,
)
GANCLS_LUA = Kind(
    "GAN-CLS's generator by its authors",
    gancls.RENAMES["generator"],
    ("fcG.0.weight", "netG.0.weight", "netG.2.branch.0.weight"),
    authors_sizes,
)
GANCLS_LUA_CRITIC = Kind(
    "a critic of GAN-CLS by its authors",
    {},
    ("1.1.1.weight", "1.2.1.weight", "3.weight", "4.running_mean", "6.weight"),
)
"""Whose layers nothing here needs: they are named by their places."""
GANCLS_CRITIC = Kind(
    "a critic of GAN-CLS",
    gancls.RENAMES["critic"],
    ("netD_1.0.weight", "projector.projection.0.weight"),
)
SPACE = Kind(
    "VS similarity's space",
    vs.RENAMES["space"],
    ("linear_img.weight", "linear_sent.weight"),
    lambda shapes: {
        "space_size": shapes["linear_sent.weight"][0],
        "text_size": shapes["linear_sent.weight"][1],
    },
)
"""What the authors trained of VS; the two encoders before it are others' own."""
TRUNK = Kind(
    "Inception-ResNet-v2",
    vs.RENAMES["image"],
    ("conv2d_1a.conv.weight", "block8.conv2d.weight", "conv2d_7b.conv.weight"),
    lambda shapes: {"thinner": inceptionresnet.POOLED // shapes["conv2d_7b.conv.weight"][0]},
)
TRUNK_IN_ORDER = Kind(
    TRUNK.title,
    vs.RENAMES["image"],
    ("encoder.0.conv.weight", "encoder.14.conv.weight"),
    lambda shapes: {"thinner": inceptionresnet.POOLED // shapes["encoder.14.conv.weight"][0]},
)
"""As the authors' code holds it: its layers are numbered."""

KINDS = (
    *(STACKGAN, STACKGAN1, STACKGAN_CRITIC, HDGAN_LARGE, HDGAN, HDGAN_CRITIC),
    *(GANCLS, GANCLS_LUA, GANCLS_LUA_CRITIC, GANCLS_CRITIC),
    *(SPACE, TEXT_LUA, TEXT, TRUNK, TRUNK_IN_ORDER),
)


def _published(*generators: Kind) -> Published:
    return Published(
        (
            Part("weights", "generator", generators),
            Part("text-weights", "text", (TEXT, TEXT_LUA), optional=True),
        ),
        reads="characters",
        pixels="truncate",
        settings=_LETTERS,
    )


_LETTERS = {"vocabulary": vocabulary_size(character_tokenizer())}

PUBLISHED = {
    "gancls": _published(GANCLS, GANCLS_LUA),
    "stackgan": _published(STACKGAN),
    "stackgan1": _published(STACKGAN1),
    "hdgan": _published(HDGAN, HDGAN_LARGE),
    "vs": Published(
        (
            Part("weights", "space", (SPACE,)),
            Part("text-weights", "text", (TEXT, TEXT_LUA)),
            Part("image-weights", "image", (TRUNK, TRUNK_IN_ORDER)),
        ),
        reads="characters",
        settings=_LETTERS,
    ),
}
