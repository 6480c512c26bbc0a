"""What Torch7 wrote: values are read, functions are not, and encoders are found in their graphs."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden import Case, cases
from lua_files import Function, Lua, Writer, module, save_lua
from official_files import State, official_state, refused, save
from torch import Tensor

from t2i.export.official.inspection import inspect
from t2i.export.official.load import load
from t2i.export.official.natures import Damaged
from t2i.export.official.published import Files
from t2i.export.official.torch7 import Torch7
from t2i.models import stackgan1

CASES = {case.name: case for case in cases("charcnnrnn")}
LETTERS = 71


def node(made: Lua | None, *children: Lua) -> Lua:
    return Lua("nngraph.Node", data={"module": made} if made else {}, children=list(children))


def layer(kind: str, state: dict[str, np.ndarray], name: str) -> Lua:
    return module(kind, weight=state[f"{name}.weight"], bias=state[f"{name}.bias"])


def step(state: dict[str, np.ndarray], side: str, *children: Lua) -> Lua:
    return node(module("Sequential", layer("Linear", state, f"rnn.{side}")), *children)


def plain(state: dict[str, np.ndarray]) -> list[Lua]:
    """Two steps of `FixedRNN`."""
    second = node(module("CAddTable"), node(module("ReLU")))
    first = node(module("ReLU"), step(state, "h2h", second))
    seen = [step(state, "i2h", first), step(state, "i2h", second)]
    return reached(*(node(module("Identity"), each) for each in seen))


def gated(state: dict[str, np.ndarray]) -> list[Lua]:
    """Two steps of `FixedGRU`."""
    candidate = node(module("CAddTable"), node(module("Tanh")))
    update = node(module("Sigmoid"), node(module("CMulTable")), node(module("MulConstant")))
    gated = node(module("CMulTable"), step(state, "h2h", candidate))
    readers = {"_update": update, "_reset": node(module("Sigmoid"), gated)}
    gates = {name: node(module("CAddTable"), each) for name, each in readers.items()}
    first = node(module("Tanh"), *(step(state, f"h2h{name}", gates[name]) for name in gates))
    seen = [step(state, f"i2h{name}", gates[name]) for name in gates]
    return reached(
        node(module("Identity"), step(state, "i2h", first)),
        node(module("Identity"), *seen, step(state, "i2h", candidate)),
    )


def reached(*nodes: Lua) -> list[Lua]:
    """These nodes and all behind them, each once."""
    found = list(nodes)
    for each in found:
        found += [child for child in each.fields["children"] if child not in found]
    return found


def encoder(state: dict[str, np.ndarray]) -> Lua:
    """`HybridCNN` or `HybridCNNLong`, its convolutions laid out as Lua's are."""
    state = {
        name: each.swapaxes(1, 2).reshape(len(each), -1).copy() if each.ndim == 3 else each
        for name, each in state.items()
    }
    convolutions = [layer("TemporalConvolution", state, f"conv{place}") for place in (1, 2, 3)]
    nodes = gated(state) if "rnn.i2h_update.weight" in state else plain(state)
    recurrence = Lua("nn.gModule", forwardnodes=nodes, modules=[], forget=Function())
    scan = module("Sequential", *convolutions)
    parts = [module("Identity"), scan, recurrence, layer("Linear", state, "emb_proj")]
    return Lua("nn.gModule", modules=parts, forwardnodes=[])


def checkpoint(case: Case, path: Path) -> Path:
    """As the training keeps it: two encoders among settings."""
    protos = {"enc_doc": encoder(dict(case.state())), "enc_image": module("Linear")}
    return save_lua({"protos": protos, "i": 3, "loss": [0.5, 0.25], "done": True}, path)


def test_values_of_every_kind_are_read(tmp_path: Path) -> None:
    table: dict[Any, Any] = {"one": 1, "half": 0.5, "no": False, "none": None, "text": "a\xe9"}
    table |= {"itself": table, "run": Function(), "list": ["a", "b"]}
    tree = Torch7(save_lua(table, tmp_path / "values.t7")).tree
    assert tree["itself"] is tree
    assert tree["list"] == {1: "a", 2: "b"}
    assert tree["run"] is None
    plain = {name: tree[name] for name in ("one", "half", "no", "none", "text")}
    assert plain == {name: table[name] for name in plain}


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_an_encoder_of_lua_reads_as_the_official_one(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file = checkpoint(case, tmp_path / "lm_sje.t7")
    small = stackgan1.Settings(LETTERS, generator_width=2, first_px=8, condition_size=3)
    generator: State = official_state(
        stackgan1.networks(small)["generator"], stackgan1.RENAMES["generator"]
    )
    weights = save(generator, tmp_path / "netG.pth")
    loaded = load("stackgan1", Files({"weights": weights, "text-weights": file}))
    known = {key: torch.from_numpy(value) for key, value in case.state().items()}
    ours: dict[str, Tensor] = dict(loaded.networks["text"].state_dict())
    official = load(
        "stackgan1",
        Files({"weights": weights, "text-weights": save(known, tmp_path / "port.pth")}),
    )
    for key, value in official.networks["text"].state_dict().items():
        assert torch.equal(ours[key], value), key


def test_an_encoder_is_told_with_its_sizes(tmp_path: Path) -> None:
    file = checkpoint(CASES["icml_birds_gru"], tmp_path / "lm_sje.t7")
    record = inspect(file)
    assert record["format"] == "a file of Torch7"
    (table,) = record["tables"]
    assert (table["name"], table["kind"]) == ("protos.enc_doc", "char-CNN-RNN's text encoder")
    assert table["settings"]["recurrence"] == "gru"


def test_another_network_of_lua_is_not_known(tmp_path: Path) -> None:
    weight = np.ones((2, 3), np.float32)
    network = module("Sequential", module("Linear", weight=weight, bias=weight))
    file = save_lua(network, tmp_path / "net_G.t7")
    said = refused("gancls", f"--weights={file}")
    assert "a network that is not known here (1.weight, 1.bias, …)" in said


def test_every_byte_that_is_lost_is_missed(tmp_path: Path) -> None:
    whole = Writer().write({"a": [1, 2], "b": np.ones((2, 2), np.float32), "c": Function()})
    file = tmp_path / "part.t7"
    for length in range(12, len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            Torch7(file)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<iii", 3, 1, 2**31 - 1),  # a table of two billion
        struct.pack("<ii", 2, 2**31 - 1),  # a text of two gigabytes
        struct.pack("<ii", 2, -1),
        struct.pack("<ii", 9, 1),
        struct.pack("<ii", 4, 1) + Writer.text("torch.FloatTensor") + struct.pack("<i", 10**6),
        struct.pack("<ii", 4, 1) + Writer.text("torch.FloatStorage") + struct.pack("<q", 2**60),
        struct.pack("<ii", 4, 1) + Writer.text("torch.OddStorage") + struct.pack("<q", 0),
        struct.pack("<ii", 4, 1) + Writer.text("nn.Lin\0ear") + struct.pack("<i", 0),
    ],
)
def test_what_a_file_claims_is_not_believed(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "net.t7"
    file.write_bytes(data)
    with pytest.raises(Damaged):
        Torch7(file)
