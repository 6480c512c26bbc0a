"""Devices and number formats."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_recipe
import torch
from torch import nn

from t2i.runtime.errors import DeviceError, UsageError
from t2i.train.command import Order, train
from t2i.train.precision import autocast, check_precision, choose_device, emulated, repeatable

CPU = torch.device("cpu")


def test_any_cpu_trains_recurrent_layers_in_bf16() -> None:
    network, enabled = nn.LSTM(4, 4), torch.backends.mkldnn.enabled
    with emulated("bf16", CPU), autocast("bf16", CPU):
        states, _ = network(torch.randn(3, 2, 4))
        assert (network.weight_ih_l0 @ torch.ones(4)).dtype == torch.bfloat16
    states.float().sum().backward()
    assert network.weight_ih_l0.grad is not None
    assert torch.backends.mkldnn.enabled == enabled


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_and_averages_stay_float32(precision: str, tiny: Path) -> None:
    from safetensors.torch import load_file

    order = Order("seedling", "toy", device="cpu", precision=precision, changes=("steps=3",))
    run = train(order)
    assert run.recipe.settings["loop"]["precision"] == precision
    kinds = {value.dtype for value in load_file(run.weights).values()}
    assert kinds == {torch.float32, torch.int64}  # batch norms count their batches


def test_fp32_is_no_autocast() -> None:
    with autocast("fp32", CPU):
        assert nn.Linear(1, 1)(torch.ones(1, 1)).dtype == torch.float32


def test_fp16_needs_a_card() -> None:
    check_precision("bf16", CPU)
    check_precision("fp16", torch.device("cuda"))
    with pytest.raises(UsageError, match="fp16 is not for cpu"):
        check_precision("fp16", CPU)


def test_the_asked_device_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(DeviceError, match="cannot train on cuda"):
        choose_device("cuda")
    with pytest.raises(UsageError, match="no device 'tpu'"):
        choose_device("tpu")


def test_the_cpu_needs_nothing_to_repeat_itself() -> None:
    with repeatable(CPU):
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.gpu
def test_a_card_repeats_itself_only_while_training() -> None:
    card = choose_device("cuda")
    assert choose_device("auto") == card
    with repeatable(card):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.system
@pytest.mark.slow
def test_compiled_networks_learn_the_same_and_share_checkpoints(tiny: Path) -> None:
    """Needs a C++ compiler. In a process of its own, because torch's compiler warns."""
    plain = train(Order("seedling", "toy", device="cpu", changes=("steps=10",)))
    command = [sys.executable, "-c", "import sys, tiny_recipe; tiny_recipe.main(*sys.argv[1:])"]
    order = ["seedling", "--preset=toy", "--device=cpu", "--out=compiled"]
    changes = ["--set", "steps=10", "--set", "compile=true"]
    environment = {**os.environ, "PYTHONPATH": str(Path(tiny_recipe.__file__).parent)}
    subprocess.run([*command, *order, *changes], check=True, env=environment)
    last = [path / "log.jsonl" for path in (plain.folder, Path("compiled"))]
    terms = [json.loads(path.read_text().splitlines()[-1])["terms"] for path in last]
    assert terms[0] == pytest.approx(terms[1], rel=1e-4)
    onwards = Order("seedling", out=Path("compiled"), resume=True, device="cpu")
    assert train(replace(onwards, changes=("steps=12", "compile=false"))).recipe.steps == 12
