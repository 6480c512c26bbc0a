"""CLIP's networks, pixels and loss against the official code."""

import numpy as np
import pytest
import torch
from golden import Case, cases
from networks import fill
from PIL import Image
from torch import Tensor

from t2i.models import clip
from t2i.models.encoders.modified_resnet import ModifiedResNet
from t2i.models.encoders.transformer import VisionTransformer
from t2i.runtime.pictures import Pixels

CASES = {case.name: case for case in cases("clip")}
PIXELS = ("preprocess_landscape", "preprocess_portrait_up", "preprocess_gray")


def settings_of(case: Case) -> clip.Settings:
    given = case.settings
    layers = given["vision_layers"]
    return clip.Settings(
        vocabulary=given["vocab_size"],
        length=given["context_length"],
        embed_size=given["embed_dim"],
        image_px=given["image_resolution"],
        image_layers=layers if isinstance(layers, int) else tuple(layers),
        image_width=given["vision_width"],
        patch_px=given["vision_patch_size"] or 0,
        text_width=given["transformer_width"],
        text_layers=given["transformer_layers"],
    )


def official(case: Case) -> clip.Clip:
    """Our network with the case's weights, which are named officially."""
    network = clip.Clip(settings_of(case))
    fill(network, case, clip.RENAMES["clip"])
    return network


def vit_states(encoder: VisionTransformer, images: Tensor) -> dict[str, Tensor]:
    hidden = encoder.tokens(images)
    states = {"visual_ln_pre": hidden}
    for place, block in enumerate(encoder.blocks):
        hidden = block(hidden)
        states[f"visual_block{place}"] = hidden
    return states


def resnet_states(encoder: ModifiedResNet, images: Tensor) -> dict[str, Tensor]:
    hidden = encoder.stem(images)
    states = {"visual_stem": hidden}
    for place, stage in enumerate(encoder.stages):
        hidden = stage(hidden)
        states[f"visual_layer{place + 1}"] = hidden
    return states


@pytest.mark.parametrize("name", ["vit_tiny", "resnet_tiny"])
@torch.no_grad()
def test_networks_and_loss(name: str) -> None:
    case = CASES[name]
    network, images = official(case), torch.from_numpy(case.inputs()["image"])
    tokens = torch.from_numpy(case.expected["tokens"]).long()
    pictures, captions = network.image(images), network.text(tokens)
    logits = network(images, tokens)
    states = vit_states if isinstance(network.image, VisionTransformer) else resnet_states
    outputs = {
        "tokens": tokens,
        "image_features": pictures,
        "text_features": captions,
        "logits_per_image": logits,
        "logits_per_text": network.logits(pictures, captions).T,
        "logit_scale_exp": network.logit_scale.exp(),
        "text_ln_final": network.text.states(tokens),
        **states(network.image, images),
    }
    case.check({key: value.numpy() for key, value in outputs.items()})
    assert outputs.keys() | {"symmetric_cross_entropy"} == case.expected.keys()


def shown(case: Case) -> Pixels:
    """The picture of a case as this project hands pictures on: (H, W, 3)."""
    image = Image.fromarray(case.inputs()["image"].astype(np.uint8))
    assert image.mode == case.settings["pil_mode"]
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", PIXELS)
def test_pixels(name: str) -> None:
    """Grey pictures give what they give when they are resized before they become RGB."""
    case = CASES[name]
    pixels = clip.Preprocess(case.settings["n_px"])(torch.tensor(shown(case))[None])
    case.check({"pixels": pixels[0].numpy()})
