"""Inception-v3 as TF-Slim of 2016 builds it, from variables by their official names.

Written from the official code's description, and not with our network. Convolutions of a branch
follow each other as Conv, Conv_1, …; those of BLOCKS that fork do at the end.

Source: hanzhanggit/StackGAN-inception-model, `inception/slim/inception_model.py` and `ops.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Variables = dict[str, npt.NDArray[Any]]
Convolution = tuple[int, int, int]
"""Channels, height and width of a kernel."""

AVERAGE = "/ExponentialMovingAverage"
STEM: dict[str, Convolution] = {
    "conv0": (32, 3, 3),
    "conv1": (32, 3, 3),
    "conv2": (64, 3, 3),
    "conv3": (80, 1, 1),
    "conv4": (192, 3, 3),
}


def _pooled(pool: int) -> dict[str, list[Convolution]]:
    return {
        "branch1x1": [(64, 1, 1)],
        "branch5x5": [(48, 1, 1), (64, 5, 5)],
        "branch3x3dbl": [(64, 1, 1), (96, 3, 3), (96, 3, 3)],
        "branch_pool": [(pool, 1, 1)],
    }


def _crossed(width: int) -> dict[str, list[Convolution]]:
    row, column = (width, 1, 7), (width, 7, 1)
    return {
        "branch1x1": [(192, 1, 1)],
        "branch7x7": [(width, 1, 1), row, (192, 7, 1)],
        "branch7x7dbl": [(width, 1, 1), column, row, column, (192, 1, 7)],
        "branch_pool": [(192, 1, 1)],
    }


_FORKED: dict[str, list[Convolution]] = {
    "branch1x1": [(320, 1, 1)],
    "branch3x3": [(384, 1, 1), (384, 1, 3), (384, 3, 1)],
    "branch3x3dbl": [(448, 1, 1), (384, 3, 3), (384, 1, 3), (384, 3, 1)],
    "branch_pool": [(192, 1, 1)],
}
BLOCKS: dict[str, dict[str, list[Convolution]]] = {
    "mixed_35x35x256a": _pooled(32),
    "mixed_35x35x288a": _pooled(64),
    "mixed_35x35x288b": _pooled(64),
    "mixed_17x17x768a": {
        "branch3x3": [(384, 3, 3)],
        "branch3x3dbl": [(64, 1, 1), (96, 3, 3), (96, 3, 3)],
    },
    "mixed_17x17x768b": _crossed(128),
    "mixed_17x17x768c": _crossed(160),
    "mixed_17x17x768d": _crossed(160),
    "mixed_17x17x768e": _crossed(192),
    "mixed_17x17x1280a": {
        "branch3x3": [(192, 1, 1), (320, 3, 3)],
        "branch7x7x3": [(192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)],
    },
    "mixed_8x8x2048a": _FORKED,
    "mixed_8x8x2048b": _FORKED,
}
INPUTS = (192, 256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048)


def variables(classes: int, thinner: int = 1, averaged: bool = True) -> Variables:
    """Made-up ones, as a checkpoint holds them: averages, and what else training leaves there."""
    dice = np.random.default_rng(0)
    found: Variables = {"global_step": np.array(5000, np.int64)}

    def add(name: str, value: npt.NDArray[Any]) -> None:
        found[name] = value.astype(np.float32)
        if averaged:
            found[name + AVERAGE] = found[name]
            found[name] = np.zeros_like(found[name])  # not what scores are taken with
            found[f"{name}/RMSProp"] = np.ones_like(found[name])

    for scope, inputs, (outputs, height, width) in convolutions():
        seen, made = inputs if inputs == 3 else inputs // thinner, outputs // thinner
        size = (height, width, seen, made)
        add(f"{scope}/weights", dice.normal(0, (2 / (height * width * seen)) ** 0.5, size))
        add(f"{scope}/BatchNorm/beta", dice.normal(0, 0.1, made))
        add(f"{scope}/BatchNorm/moving_mean", dice.normal(0, 0.1, made))
        add(f"{scope}/BatchNorm/moving_variance", dice.uniform(0.5, 1.5, made))
    features = 2048 // thinner
    for head in ("logits/logits", "aux_logits/FC"):
        add(f"{head}/weights", dice.normal(0, features**-0.5, (features, 1 + classes)))
        add(f"{head}/biases", dice.normal(0, 1, 1 + classes))
    return found


def logits(variables: Mapping[str, npt.NDArray[Any]], images: Tensor) -> Tensor:
    """Of all classes and the background, the first: (B, 1 + classes)."""
    hidden = _convolved(variables, images, "conv0", stride=2, same=False)
    hidden = _convolved(variables, hidden, "conv1", same=False)
    hidden = F.max_pool2d(_convolved(variables, hidden, "conv2"), 3, 2)
    hidden = _convolved(variables, hidden, "conv3", same=False)
    hidden = F.max_pool2d(_convolved(variables, hidden, "conv4", same=False), 3, 2)
    for scope, branches in BLOCKS.items():
        found = [_branch(variables, hidden, f"{scope}/{name}", branches) for name in branches]
        if "branch_pool" not in branches:
            found.append(F.max_pool2d(hidden, 3, 2))
        hidden = torch.cat(found, 1)
    weights, biases = (_held(variables, f"logits/logits/{name}") for name in ("weights", "biases"))
    return hidden.mean((2, 3)) @ weights + biases


def convolutions() -> Iterator[tuple[str, int, Convolution]]:
    """Scope, channels that go in, and the kernel of each."""
    inputs = 3
    for scope, kernel in STEM.items():
        yield scope, inputs, kernel
        inputs = kernel[0]
    for (block, branches), inputs in zip(BLOCKS.items(), INPUTS, strict=True):
        for branch, kernels in branches.items():
            before = inputs
            for place, kernel in enumerate(kernels):
                yield f"{block}/{branch}/{_name(place)}", before, kernel
                before = kernel[0]


def _branch(
    variables: Mapping[str, npt.NDArray[Any]],
    hidden: Tensor,
    scope: str,
    branches: Mapping[str, list[Convolution]],
) -> Tensor:
    kernels = branches[scope.rpartition("/")[2]]
    halves = "branch_pool" not in branches
    forks = branches is _FORKED and len(kernels) > 1
    if scope.endswith("branch_pool"):
        hidden = F.avg_pool2d(hidden, 3, 1, 1, count_include_pad=False)
    for place in range(len(kernels) - 2 if forks else len(kernels)):
        last = halves and place == len(kernels) - 1
        within = f"{scope}/{_name(place)}"
        hidden = _convolved(variables, hidden, within, stride=1 + last, same=not last)
    if not forks:
        return hidden
    ends = (f"{scope}/{_name(place)}" for place in (len(kernels) - 2, len(kernels) - 1))
    return torch.cat([_convolved(variables, hidden, end) for end in ends], 1)


def _convolved(
    variables: Mapping[str, npt.NDArray[Any]],
    hidden: Tensor,
    scope: str,
    *,
    stride: int = 1,
    same: bool = True,
) -> Tensor:
    weights = _held(variables, f"{scope}/weights").permute(3, 2, 0, 1)
    padding = [side // 2 for side in weights.shape[2:]] if same else [0, 0]
    hidden = F.conv2d(hidden, weights, None, stride, padding)
    beta, mean, variance = (
        _held(variables, f"{scope}/BatchNorm/{name}")[:, None, None]
        for name in ("beta", "moving_mean", "moving_variance")
    )
    return F.relu((hidden - mean) / torch.sqrt(variance + 0.001) + beta)


def _held(variables: Mapping[str, npt.NDArray[Any]], name: str) -> Tensor:
    return torch.from_numpy(variables[name + AVERAGE if name + AVERAGE in variables else name])


def _name(place: int) -> str:
    return f"Conv_{place}" if place else "Conv"
