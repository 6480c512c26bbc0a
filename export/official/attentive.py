"""AttnGAN's files, and those of the systems whose official code grew out of its code."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from t2i.export.official.kinds import Kind, Part, Shapes, count
from t2i.export.official.published import PUBLISHED_WORDS, Published
from t2i.models import attngan, controlgan, damsm, dmgan, mirrorgan, stream


def generator_sizes(shapes: Shapes) -> dict[str, Any]:
    """Sizes that all these generators have."""
    doubled, text_size = shapes["ca_net.fc.weight"]
    condition_size = doubled // 4
    doublings = count(shapes, "h_net1.upsample{}.1.weight", first=1)
    return {
        "text_size": text_size,
        "condition_size": condition_size,
        "noise_size": shapes["h_net1.fc.0.weight"][1] - condition_size,
        "generator_width": shapes[f"h_net1.upsample{doublings}.1.weight"][0] // 2,
        "residuals": count(shapes, "h_net2.residual.{}.block.0.weight"),
        "first_px": 4 * 2**doublings,
        "stages": 1 + count(shapes, "h_net{}.upsample.1.weight", first=2),
        "single_head": "img_net.img.0.weight" in shapes,
    }


def text_sizes(shapes: Shapes) -> dict[str, Any]:
    """Of a text encoder; one id more than it has is that of unknown words, which are left out."""
    vocabulary, embedding = shapes["encoder.weight"]
    gates, state_size = shapes["rnn.weight_hh_l0"]
    return {
        "vocabulary": vocabulary + 1,
        "embedding": embedding,
        "text_size": 2 * state_size,
        "cell": {3: "gru", 4: "lstm"}[gates // state_size],
    }


def with_unknown(embedding: Tensor) -> Tensor:
    """A word's own embeddings, and one for the unknown word, which no host feeds."""
    return torch.cat([embedding, embedding.new_zeros(1, embedding.shape[1])])


def captioner_sizes(shapes: Shapes) -> dict[str, Any]:
    """Of STREAM's words; they too are one id more."""
    vocabulary, embedding = shapes["embed.weight"]
    return {
        "vocabulary": vocabulary + 1,
        "embedding": embedding,
        "state_size": shapes["lstm.weight_hh_l0"][1],
    }


def never_said(bias: Tensor) -> Tensor:
    """Logits of words, and one of the unknown word, which is as good as none."""
    return torch.cat([bias, bias.new_full((1,), -1e4)])


def words_told(shapes: Shapes) -> str:
    words = shapes["encoder.weight" if "encoder.weight" in shapes else "embed.weight"][0]
    known = PUBLISHED_WORDS.get(words)
    return f"{words:,} words, as in {known}" if known else f"{words:,} words"


def data_told(shapes: Shapes) -> str:
    """AttnGAN's generators of two data sets differ in their sizes."""
    sizes = generator_sizes(shapes)
    known = {(32, 2): "CUB", (48, 3): "COCO"}
    data = known.get((sizes["generator_width"], sizes["residuals"]))
    return f"of the size for {data}" if data else ""


TEXT = Kind(
    "DAMSM's text encoder",
    damsm.RENAMES["text"],
    ("encoder.weight", "rnn.weight_hh_l0"),
    text_sizes,
    amended={"encoder.weight": with_unknown},
    remark=words_told,
)
IMAGE = Kind(
    "DAMSM's image encoder",
    damsm.RENAMES["image"],
    ("emb_features.weight", "emb_cnn_code.weight"),
    lambda shapes: {"text_size": shapes["emb_features.weight"][0]},
)
SEEING = Kind(
    "what STREAM sees pictures with",
    stream.RENAMES["image"],
    ("resnet.0.weight", "linear.weight", "bn.running_mean"),
    lambda shapes: {"embedding": shapes["linear.weight"][0]},
)
SAYING = Kind(
    "STREAM's captioner",
    stream.RENAMES["caption"],
    ("embed.weight", "lstm.weight_hh_l0", "linear.weight"),
    captioner_sizes,
    amended={
        "embed.weight": with_unknown,
        "linear.weight": with_unknown,
        "linear.bias": never_said,
    },
    remark=words_told,
)


_MARKS = ("ca_net.fc.weight", "h_net1.fc.0.weight")


def _generator(title: str, names: Mapping[str, str], *marks: str) -> Kind:
    return Kind(title, names, (*_MARKS, *marks), generator_sizes)


DMGAN = _generator("DM-GAN's generator", dmgan.RENAMES["generator"], "h_net2.key.0.weight")
MIRRORGAN = _generator(
    "MirrorGAN's generator", mirrorgan.RENAMES["generator"], "h_net2.att.linear.weight"
)
CONTROLGAN = _generator(
    "ControlGAN's generator",
    controlgan.RENAMES["generator"],
    "h_net2.channel_att.conv_context2.weight",
)
ATTNGAN = Kind(
    "AttnGAN's generator",
    attngan.RENAMES["generator"],
    _MARKS,
    generator_sizes,
    remark=data_told,
)
DMGAN_CRITIC = Kind(
    "a critic of DM-GAN",
    dmgan.RENAMES["critic"],
    ("img_code_s16.0.module.weight_bar",),
)
CRITIC = Kind(
    "a critic of AttnGAN, MirrorGAN or ControlGAN",
    attngan.RENAMES["critic"],
    ("img_code_s16.0.weight", "COND_DNET.outlogits.0.weight"),
)

KINDS = (
    *(DMGAN, MIRRORGAN, CONTROLGAN, ATTNGAN, DMGAN_CRITIC, CRITIC),
    *(TEXT, IMAGE, SEEING, SAYING),
)


def _published(generator: Kind) -> Published:
    return Published(
        (Part("weights", "generator", (generator,)), Part("text-weights", "text", (TEXT,))),
        reads="words",
        pixels="truncate",
    )


PUBLISHED = {
    "attngan": _published(ATTNGAN),
    "dmgan": _published(DMGAN),
    "mirrorgan": _published(MIRRORGAN),
    "controlgan": _published(CONTROLGAN),
    "damsm": Published(
        (Part("weights", "image", (IMAGE,)), Part("text-weights", "text", (TEXT,))),
        reads="words",
        # The torch that AttnGAN's and DM-GAN's encoders were trained with resized so.
        settings={"align_corners": True, "image": "inception", "image_px": 299},
    ),
    "stream": Published(
        (Part("weights", "caption", (SAYING,)), Part("image-weights", "image", (SEEING,))),
        reads="words",
        settings={"image": "resnet", "image_px": 224},
    ),
}
