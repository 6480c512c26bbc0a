"""GAN-CLS's generators as its authors published them: Torch7 files, drawn as their layers say."""

from pathlib import Path
from typing import Any

import fill
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import cases
from lua_files import Lua, module, save_lua
from official_files import refused, save, typed
from torch import Tensor

from t2i.export.official.inspection import inspect
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.runtime.bundle import Bundle
from t2i.runtime.sessions import open_session

NGF, NT, NZ, TEXT = 4, 6, 5, 8
"""Small sizes, by the names of the authors' options."""


def layer(kind: str, name: str, *shape: int, package: str = "cudnn", **fields: Any) -> Lua:
    """With weights, and what the last step left of gradients and pictures."""
    outputs = shape[1] if kind == "SpatialFullConvolution" else shape[0]
    made = {
        "weight": fill.fill(f"{name}.weight", shape),
        "bias": fill.fill(f"{name}.bias", (outputs,)),
        "gradWeight": np.zeros(shape, np.float32),
        "gradBias": np.zeros(outputs, np.float32),
        "output": np.ones((2, outputs), np.float32),
    }
    return Lua(f"{package}.{kind}", **made, **fields)


def norm(name: str, width: int) -> Lua:
    running = {each: fill.fill(f"{name}.{each}", (width,)) for each in RUNNING}
    return layer("SpatialBatchNormalization", name, width, eps=1e-5, **running)


RUNNING = ("running_mean", "running_var")


def plain(kind: str, package: str = "cudnn") -> Lua:
    return Lua(f"{package}.{kind}", train=True)


def conv(name: str, inputs: int, outputs: int, kernel: int) -> Lua:
    pad = kernel // 2
    shape = (outputs, inputs, kernel, kernel)
    return layer("SpatialConvolution", name, *shape, dW=1, dH=1, padW=pad, padH=pad)


def full(name: str, inputs: int, outputs: int, stride: int = 2, pad: int = 1) -> Lua:
    place = {"dW": stride, "dH": stride, "padW": pad, "padH": pad}
    return layer("SpatialFullConvolution", name, inputs, outputs, 4, 4, **place)


def bottleneck(name: str, width: int, inner: int) -> list[Lua]:
    branch = module(
        "Sequential",
        *(conv(f"{name}.1", width, inner, 1), norm(f"{name}.2", inner), plain("ReLU")),
        *(conv(f"{name}.4", inner, inner, 3), norm(f"{name}.5", inner), plain("ReLU")),
        *(conv(f"{name}.7", inner, width, 3), norm(f"{name}.8", width)),
    )
    return [module("ConcatTable", module("Identity"), branch), module("CAddTable")]


def net_g(large: int = 0, text: int = TEXT) -> Lua:
    """`netG` of main_cls.lua, line by line; that of main_cls_int.lua is never `large`."""
    linear = layer("Linear", "linear", NT, text, package="nn")
    squeeze = module("Sequential", linear, module("LeakyReLU", negval=0.2))
    again = range(1 + large)
    return module(
        "Sequential",
        module("ParallelTable", module("Identity"), squeeze),
        module("JoinTable", dimension=2),
        *(full("a", NZ + NT, NGF * 8, stride=1, pad=0), norm("b", NGF * 8)),
        *(each for k in again for each in bottleneck(f"c{k}", NGF * 8, NGF * 2)),
        plain("ReLU"),
        *(full("d", NGF * 8, NGF * 4), norm("e", NGF * 4)),
        *(each for k in again for each in bottleneck(f"f{k}", NGF * 4, NGF)),
        plain("ReLU"),
        *(full("g", NGF * 4, NGF * 2), norm("h", NGF * 2), plain("ReLU")),
        *(full("i", NGF * 2, NGF), norm("j", NGF), plain("ReLU")),
        *(full("k", NGF, 3), plain("Tanh")),
    )


def net_d() -> Lua:
    """The beginning and the end of `netD`, with the critic's middle left out."""
    look = module("Sequential", conv("m", 3, NGF, 3), module("LeakyReLU", negval=0.2))
    read = module("Sequential", layer("Linear", "n", NT, TEXT, package="nn"))
    return module(
        "Sequential",
        module("ParallelTable", look, read),
        module("JoinTable", dimension=2),
        *(conv("o", NGF + NT, NGF, 1), norm("p", NGF), module("LeakyReLU", negval=0.2)),
        *(conv("q", NGF, 1, 3), plain("Sigmoid"), module("View")),
    )


def flattened(network: Lua) -> Lua:
    """As `getParameters` leaves it: all that learns lies in one storage, one behind the other."""
    layers = [each for each in within(network) if "weight" in each.fields]
    held = [(each, part) for each in layers for part in ("weight", "bias")]
    flat = np.concatenate([each.fields[part].ravel() for each, part in held])
    place = 0
    for each, part in held:
        shape = each.fields[part].shape
        each.fields[part] = flat[place : place + each.fields[part].size].reshape(shape)
        place += each.fields[part].size
    return network


def within(network: Lua) -> list[Lua]:
    return [network, *(each for part in network.fields.get("modules", []) for each in within(part))]


def forward(network: Lua, given: Any) -> Any:
    """What Torch7 computes, in evaluation."""
    kind, parts = network.kind.partition(".")[2], network.fields.get("modules", [])
    match kind:
        case "Sequential":
            for part in parts:
                given = forward(part, given)
            return given
        case "ParallelTable":
            return [forward(part, each) for part, each in zip(parts, given, strict=True)]
        case "ConcatTable":
            return [forward(part, given) for part in parts]
        case "CAddTable":
            return sum(given)
        case "JoinTable":  # of maps of one pixel and of rows of numbers
            return torch.cat([each.reshape(*each.shape[:2], 1, 1) for each in given], dim=1)
        case "LeakyReLU":
            return F.leaky_relu(given, network.fields["negval"])
        case "Identity" | "ReLU" | "Tanh":
            return {"Identity": Tensor.clone, "ReLU": Tensor.relu, "Tanh": Tensor.tanh}[kind](given)
    return weighed(network, given)


def weighed(layer: Lua, given: Tensor) -> Tensor:
    held = {k: torch.from_numpy(v) for k, v in layer.fields.items() if isinstance(v, np.ndarray)}
    weight, bias = held["weight"], held["bias"]
    place = {"stride": layer.fields.get("dW"), "padding": layer.fields.get("padW")}
    match layer.kind.partition(".")[2]:
        case "Linear":
            return F.linear(given, weight, bias)
        case "SpatialConvolution":
            return F.conv2d(given, weight, bias, **place)
        case "SpatialFullConvolution":
            return F.conv_transpose2d(given, weight, bias, **place)
        case "SpatialBatchNormalization":
            running = [held[each] for each in RUNNING]
            return F.batch_norm(given, *running, weight, bias, eps=layer.fields["eps"])
    raise AssertionError(layer.kind)


def draws() -> dict[str, Tensor]:
    sizes = {"noise": NZ, "sentence": TEXT}
    return {name: torch.from_numpy(fill.tensor(name, (2, size))) for name, size in sizes.items()}


@pytest.mark.slow
def test_a_file_of_the_authors_becomes_a_bundle_that_draws_as_its_layers_say(
    tmp_path: Path,
) -> None:
    network = net_g()
    file = save_lua(flattened(network), tmp_path / "cub_v2_600_net_G.t7")
    out = tmp_path / "gancls.t2i"
    done = typed("gancls", f"--weights={file}", f"--out={out}")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(out)
    assert (bundle.manifest.condition, bundle.manifest.pixels) == ("vector", "truncate")
    fed = draws()
    with torch.no_grad():
        wanted = forward(network, [fed["noise"][:, :, None, None], fed["sentence"]])
    assert wanted.shape == (2, 3, 64, 64)
    assert wanted.std() > 0.04
    session = open_session(bundle, "generator", device="cpu", threads=1)
    found = session.run({name: each.numpy() for name, each in fed.items()}, ["image"])["image"]
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize("large", [0, 1])
@torch.no_grad()
def test_its_sizes_are_told_and_its_network_draws_alike(large: int, tmp_path: Path) -> None:
    network = net_g(large)
    file = save_lua(network, tmp_path / "net_G.t7")
    (table,) = inspect(file)["tables"]
    assert (table["kind"], table["for"]) == (
        "GAN-CLS's generator by its authors",
        [("gancls", "weights")],
    )
    sizes = {"noise_size": NZ, "text_size": TEXT, "condition_size": NT, "generator_width": NGF}
    assert table["settings"] == {**sizes, "bottlenecks": 1 + large, "image_px": 64}
    generator = load("gancls", Files({"weights": file})).networks["generator"]
    fed = draws()
    wanted = forward(network, [fed["noise"][:, :, None, None], fed["sentence"]])
    torch.testing.assert_close(generator(**fed), wanted, atol=1e-5, rtol=0)


def test_an_encoder_reads_for_it_if_it_gives_as_many_numbers(tmp_path: Path) -> None:
    case = next(each for each in cases("charcnnrnn") if each.name == "cvpr_rnn")
    state = {name: torch.from_numpy(np.asarray(each)) for name, each in case.state().items()}
    encoder = save(state, tmp_path / "encoder.pth")
    files = [save_lua(net_g(text=text), tmp_path / f"{text}_net_G.t7") for text in (1024, TEXT)]
    loaded = load("gancls", Files({"weights": files[0], "text-weights": encoder}))
    assert list(loaded.networks) == ["generator", "text"]
    said = refused("gancls", f"--weights={files[1]}", f"--text-weights={encoder}")
    assert f"has text_size 1024, and {files[1]} has {TEXT}" in said


def first(network: Lua, kind: str) -> Lua:
    return next(each for each in within(network) if each.kind.endswith(kind))


def test_a_network_that_is_built_otherwise_is_not_taken_for_one(tmp_path: Path) -> None:
    def other(change: Any) -> str:
        network = net_g()
        change(network)
        return refused("gancls", f"--weights={save_lua(network, tmp_path / 'net_G.t7')}")

    def endless(network: Lua) -> None:
        network.fields["modules"].insert(0, network)

    unknown = "a network that is not known here"
    assert unknown in other(lambda net: setattr(first(net, "Tanh"), "kind", "nn.Sigmoid"))
    assert unknown in other(lambda net: first(net, "LeakyReLU").fields.update(negval=0.01))
    assert unknown in other(lambda net: net.fields["modules"].pop())
    assert "nested in each other without end" in other(endless)
    norms = "its layer netG.1 has no running_var"
    assert norms in other(lambda net: first(net, "Normalization").fields.pop("running_var"))
    thin = {"weight": np.ones((NT + 1, TEXT), np.float32)}
    assert "do not fit" in other(lambda net: first(net, "Linear").fields.update(thin))


def test_a_critic_of_the_authors_is_named(tmp_path: Path) -> None:
    file = save_lua(net_d(), tmp_path / "cub_v2_600_net_D.t7")
    said = refused("gancls", f"--weights={file}")
    assert "holds a critic of GAN-CLS by its authors, not GAN-CLS's generator" in said
