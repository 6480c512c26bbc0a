"""Devices and number formats: the asked one or an error."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from t2i.runtime.errors import DeviceError, UsageError
from t2i.train.settings import Precision

DEVICES = ("auto", "cpu", "cuda")
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(asked: str) -> torch.device:
    """`auto` is the card if one can be used, else the CPU.

    Raises:
        UsageError: there is no such device.
        DeviceError: CUDA is asked for and cannot be used.
    """
    if asked not in DEVICES:
        raise UsageError(f"there is no device {asked!r}", hint=f"one of {', '.join(DEVICES)}")
    if asked == "cpu":
        return torch.device("cpu")
    problem = _cuda_problem()
    if problem is None:
        return torch.device("cuda", torch.cuda.current_device())
    if asked == "auto":
        return torch.device("cpu")
    raise DeviceError(f"cannot train on cuda: {problem}", hint="use --device cpu, or auto")


def _cuda_problem() -> str | None:
    if not torch.backends.cuda.is_built():
        return "this PyTorch was built without it"
    if not torch.cuda.is_available():
        return "PyTorch finds no card"
    try:
        torch.zeros(1, device="cuda")
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return None


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Let a card give the same bits for the same numbers, which costs it some speed.

    The CPU does so by itself, with an equal number of threads. What has no repeatable kernel on
    CUDA warns.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cudnn_before, cudnn.deterministic = cudnn.deterministic, True
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        cudnn.deterministic = cudnn_before
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)


@contextmanager
def emulated(precision: Precision, device: torch.device) -> Iterator[None]:
    """Let a CPU without bf16 arithmetic compute in it all the same, slowly.

    There oneDNN refuses recurrent layers in bf16; torch's own kernels do not.
    """
    if precision != "bf16" or device.type != "cpu" or _has_recurrent_bf16():
        yield
        return
    mkldnn = torch.backends.mkldnn
    before = mkldnn.enabled
    mkldnn.enabled = False  # type: ignore[assignment]
    try:
        yield
    finally:
        mkldnn.enabled = before


def _has_recurrent_bf16() -> bool:
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raises UsageError: fp16 is for CUDA."""
    if precision == "fp16" and device.type != "cuda":
        raise UsageError(
            f"fp16 is not for {device.type}", hint="use --precision bf16 or fp32, or --device cuda"
        )


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Where networks compute in this precision; weights and losses stay float32."""
    return torch.autocast(device.type, _TYPES[precision], enabled=precision != "fp32")
