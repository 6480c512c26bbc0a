"""VS similarity's files: what the authors trained, and the encoders of others that it stands on."""

import json
from pathlib import Path

import fill
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import cases
from official_files import State, official_state, parallel, refused, save, save_legacy, typed
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from t2i.export.official.inspection import inspect
from t2i.models import vs
from t2i.models.encoders import inceptionresnet
from t2i.runtime.cli.score import app as score

THINNER, SPACE, TEXT = 16, 12, 1024
READER = next(each for each in cases("charcnnrnn") if each.name == "cvpr_rnn")


def trunk_state() -> State:
    """The port's file, of few channels, with its classifier, and weights that let pictures pass."""
    with torch.device("meta"):
        layers = inceptionresnet.InceptionResNetTrunk(THINNER).state_dict()
    state = {
        name: torch.from_numpy(fill.fill(name, tuple(each.shape)))
        for name, each in layers.items()  # whose names are the port's
        if "num_batches" not in name
    }
    for name in state:
        state[name] *= 2**0.5 if name.endswith("conv.weight") else 1
    pooled = len(state["conv2d_7b.bn.weight"])
    return {**state, "last_linear.weight": torch.ones(5, pooled), "last_linear.bias": torch.ones(5)}


def space_state() -> State:
    """`W_epoch110.pth`, with its number of a device."""
    space = vs.Space(1536 // THINNER, TEXT, SPACE)
    device = {"device_id": torch.zeros(1, dtype=torch.int32)}
    return {**device, **official_state(space, vs.RENAMES["space"])}


class Port:
    """`InceptionResNetV2` of pretrained-models.pytorch, layer by layer."""

    def __init__(self, state: State) -> None:
        self.state = state

    def conv(
        self,
        name: str,
        hidden: Tensor,
        padding: int | tuple[int, int] = 0,
        stride: int = 1,
    ) -> Tensor:
        """`BasicConv2d`."""
        at = self.state
        seen = F.conv2d(hidden, at[f"{name}.conv.weight"], None, stride, padding)
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(seen, *(at[f"{name}.bn.{each}"] for each in names), eps=0.001).relu()

    def pooled(self, pictures: Tensor) -> Tensor:
        hidden = self.conv("conv2d_2a", self.conv("conv2d_1a", pictures, stride=2))
        hidden = F.max_pool2d(self.conv("conv2d_2b", hidden, padding=1), 3, 2)
        hidden = F.max_pool2d(self.conv("conv2d_4a", self.conv("conv2d_3b", hidden)), 3, 2)
        hidden = self.mixed_5b(hidden)
        for place in range(10):
            hidden = self.block(f"repeat.{place}", hidden, 0.17, ((), (1,), (1, 1))).relu()
        hidden = self.mixed_6a(hidden)
        for place in range(20):
            branches = ((), ((0, 3), (3, 0)))
            hidden = self.block(f"repeat_1.{place}", hidden, 0.10, branches).relu()
        hidden = self.mixed_7a(hidden)
        for place in range(9):
            branches = ((), ((0, 1), (1, 0)))
            hidden = self.block(f"repeat_2.{place}", hidden, 0.20, branches).relu()
        hidden = self.block("block8", hidden, 1.0, ((), ((0, 1), (1, 0))))
        return F.avg_pool2d(self.conv("conv2d_7b", hidden), 8).flatten(1)

    def block(
        self,
        name: str,
        hidden: Tensor,
        scale: float,
        branches: tuple[tuple[int | tuple[int, int], ...], ...],
    ) -> Tensor:
        """`Block35`, `Block17`, `Block8`; of each branch the paddings behind its first layer."""
        seen = []
        for number, paddings in enumerate(branches):
            branch = f"{name}.branch{number}"
            found = self.conv(f"{branch}.0" if paddings else branch, hidden)
            for place, padding in enumerate(paddings, 1):
                found = self.conv(f"{branch}.{place}", found, padding)
            seen.append(found)
        weight, bias = (self.state[f"{name}.conv2d.{each}"] for each in ("weight", "bias"))
        return F.conv2d(torch.cat(seen, 1), weight, bias) * scale + hidden

    def mixed_5b(self, hidden: Tensor) -> Tensor:
        mean = F.avg_pool2d(hidden, 3, 1, 1, count_include_pad=False)
        second = self.conv("mixed_5b.branch1.0", hidden)
        third = self.conv("mixed_5b.branch2.1", self.conv("mixed_5b.branch2.0", hidden), 1)
        branches = (
            self.conv("mixed_5b.branch0", hidden),
            self.conv("mixed_5b.branch1.1", second, 2),
            self.conv("mixed_5b.branch2.2", third, 1),
            self.conv("mixed_5b.branch3.1", mean),
        )
        return torch.cat(branches, 1)

    def mixed_6a(self, hidden: Tensor) -> Tensor:
        second = self.conv("mixed_6a.branch1.1", self.conv("mixed_6a.branch1.0", hidden), 1)
        branches = (
            self.conv("mixed_6a.branch0", hidden, stride=2),
            self.conv("mixed_6a.branch1.2", second, stride=2),
            F.max_pool2d(hidden, 3, 2),
        )
        return torch.cat(branches, 1)

    def mixed_7a(self, hidden: Tensor) -> Tensor:
        first, second, third = (self.conv(f"mixed_7a.branch{n}.0", hidden) for n in range(3))
        third = self.conv("mixed_7a.branch2.1", third, 1)
        branches = (
            self.conv("mixed_7a.branch0.1", first, stride=2),
            self.conv("mixed_7a.branch1.1", second, stride=2),
            self.conv("mixed_7a.branch2.2", third, stride=2),
            F.max_pool2d(hidden, 3, 2),
        )
        return torch.cat(branches, 1)


def placed(state: State, side: str, given: Tensor) -> Tensor:
    """A side of `ImgSenRanking`, with its `l2norm`."""
    seen = F.linear(given, state[f"linear_{side}.weight"], state[f"linear_{side}.bias"])
    return seen / seen.norm(2.0, 1, keepdim=True).clamp(min=1e-12)


def pictures() -> np.ndarray:
    """Two of 299 px, which no one resizes."""
    across, down = np.meshgrid(np.linspace(0, 255, 299), np.linspace(0, 255, 299))
    first = np.stack([across, down, 255 - across], axis=-1)
    second = np.stack([128 + 127 * np.sin(across / 9), 0 * down, down], axis=-1)
    return np.rint(np.stack([first, second])).astype(np.uint8)


def files(folder: Path) -> tuple[str, str, str]:
    reader = {name: torch.from_numpy(np.asarray(each)) for name, each in READER.state().items()}
    space = save_legacy(space_state(), folder / "W_epoch110.pth")
    text = save(reader, folder / "encoder.pth")
    image = save(trunk_state(), folder / "inceptionresnetv2-520b38e4.pth")
    return f"--weights={space}", f"--text-weights={text}", f"--image-weights={image}"


@pytest.mark.slow
def test_its_files_become_a_bundle_that_scores_as_the_official_code_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = typed("vs", *files(tmp_path), "--out=official.t2i")
    assert done.exit_code == 0, done.output
    shown, said = pictures(), READER.inputs()["caption"].tolist()
    (tmp_path / "real").mkdir()
    lines = []
    for place, (picture, caption) in enumerate(zip(shown, said, strict=True)):
        Image.fromarray(picture).save(tmp_path / "real" / f"{place}.png")
        lines.append(json.dumps({"file_name": f"{place}.png", "text": caption}) + "\n")
    (tmp_path / "real" / "metadata.jsonl").write_text("".join(lines))
    order = ["vs", "real", "--with=vs=official.t2i", "--device=cpu", "--json"]
    scored = CliRunner().invoke(score, order)
    assert scored.exit_code == 0, scored.output

    seen = (torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    sentences = torch.from_numpy(READER.expected["embedding"])
    with torch.no_grad():
        codes = placed(space_state(), "img", Port(trunk_state()).pooled(seen))
        costs = (codes * placed(space_state(), "sent", sentences)).sum(dim=1)
    assert (codes[0] - codes[1]).abs().max() > 0.005, "the pictures are told apart"
    found = json.loads(scored.stdout)
    assert found["value"] == pytest.approx(float(costs.mean()), abs=1e-5)
    assert found["spread"] == pytest.approx(float(costs.std(correction=0)), abs=1e-5)


def test_the_trunk_is_told_under_either_names_of_its_layers(tmp_path: Path) -> None:
    state = trunk_state()
    kept = {name: each for name, each in state.items() if not name.startswith("last_linear")}
    ours = {name.split(".")[0]: None for name in kept}
    places = dict(zip(ours, (0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14), strict=True))
    numbered = {
        f"encoder.{places[name.split('.')[0]]}.{name.partition('.')[2]}": each
        for name, each in kept.items()
    }
    for each in (state, parallel(state), numbered):
        (table,) = inspect(save(each, tmp_path / "image.pth"))["tables"]
        assert (table["kind"], table["settings"]) == ("Inception-ResNet-v2", {"thinner": THINNER})
        assert not table["wrong"]


def test_files_that_do_not_belong_to_each_other_are_refused(tmp_path: Path) -> None:
    space, text, image = files(tmp_path)
    assert "holds char-CNN-RNN's text encoder, not Inception-ResNet-v2" in refused(
        "vs", space, text, f"--image-weights={tmp_path / 'encoder.pth'}"
    )
    narrow = official_state(vs.Space(1536, TEXT, SPACE), vs.RENAMES["space"])
    save(narrow, tmp_path / "W_epoch110.pth")
    said = refused("vs", space, text, image)
    assert "linear_img.weight is (12, 1536), not (12, 96)" in said
