"""Files of StyleGAN2: those of the port rosinality/stylegan2-pytorch, and NVIDIA's own pickles."""

import re
from collections.abc import Callable
from typing import Any

from torch import Tensor

from t2i.export.official.kinds import Kind, Part, Shapes, count
from t2i.export.official.published import Published
from t2i.models import stylegan2

SIDES = tuple(4 * 2**i for i in range(9))


def sizes(shapes: Shapes) -> dict[str, Any]:
    stages = 1 + count(shapes, "to_rgbs.{}.bias")
    convs = [f"convs.{2 * i + 1}.conv.weight" for i in range(stages - 1)]
    return {
        "style_size": shapes["style.1.weight"][0],
        "mapping_layers": count(shapes, "style.{}.weight", first=1),
        "widths": [shapes[name][1] for name in ("conv1.conv.weight", *convs)],
    }


def nvidia_sizes(shapes: Shapes) -> dict[str, Any]:
    convs = [f"synthesis.b{side}.conv1.weight" for side in SIDES]
    return {
        "style_size": shapes["mapping.fc0.weight"][0],
        "mapping_layers": count(shapes, "mapping.fc{}.weight"),
        "widths": [shapes[name][0] for name in convs if name in shapes],
    }


def _nvidia_names() -> dict[str, str]:
    """Names in NVIDIA's `Generator` -> ours; its constants and its fixed noise are of no use."""
    names = {f"mapping.fc{i}": f"mapping.layers.{i}" for i in range(8)}
    names |= {"mapping.w_avg": "", "synthesis.b4.const": "constant"}
    for place, side in enumerate(SIDES):
        block, ours = f"synthesis.b{side}", f"blocks.{place - 1}"
        first = place == 0
        names |= _layer(f"{block}.conv1", "first" if first else f"{ours}.keep")
        names |= {} if first else _layer(f"{block}.conv0", f"{ours}.up")
        names |= _head(f"{block}.torgb", "first_head" if first else f"{ours}.head")
        names[f"{block}.resample_filter"] = ""
    return names


def _layer(official: str, ours: str) -> dict[str, str]:
    return {
        **_head(official, ours),
        f"{official}.noise_strength": f"{ours}.strength",
        f"{official}.noise_const": "",
        f"{official}.resample_filter": "",
    }


def _head(official: str, ours: str) -> dict[str, str]:
    return {
        f"{official}.weight": f"{ours}.conv.weight",
        f"{official}.affine": f"{ours}.conv.modulation",
        f"{official}.bias": f"{ours}.bias",
    }


def _first_of_one(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(0)


def _channels(tensor: Tensor) -> Tensor:
    return tensor[None, :, None, None]


_AMENDED: dict[str, Callable[[Tensor], Tensor]] = {
    r"synthesis\.b4\.const|.*\.(conv[01]|torgb)\.weight|.*\.noise_strength": _first_of_one,
    r".*\.torgb\.bias": _channels,
}
"""What has one dimension more in the port."""


def _amended() -> dict[str, Callable[[Tensor], Tensor]]:
    return {
        name: amend
        for name in _nvidia_names()
        for pattern, amend in _AMENDED.items()
        if re.fullmatch(pattern, name)
    }


GENERATOR = Kind(
    "StyleGAN2's generator",
    stylegan2.RENAMES["generator"],
    ("style.1.weight", "input.input", "to_rgb1.bias"),
    sizes,
)
NVIDIA = Kind(
    "StyleGAN2's generator as NVIDIA names it",
    _nvidia_names(),
    ("mapping.fc0.weight", "synthesis.b4.const", "synthesis.b4.torgb.bias"),
    nvidia_sizes,
    amended=_amended(),
)
CRITIC = Kind(
    "a critic of StyleGAN2",
    stylegan2.RENAMES["critic"],
    ("convs.0.0.weight", "final_linear.0.bias"),
)

KINDS = (GENERATOR, NVIDIA, CRITIC)
PUBLISHED = {
    "stylegan2": Published((Part("weights", "generator", (GENERATOR, NVIDIA)),), pixels="round"),
}
