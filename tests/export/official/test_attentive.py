"""Official files of AttnGAN and its relatives become bundles that give the official numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fill
import numpy as np
import pytest
import torch
from golden import Case, cases
from official_files import (
    official_state,
    parallel,
    refused,
    save,
    save_legacy,
    save_words,
    typed,
)
from torch import Tensor, nn

from t2i.export.official import vocabulary
from t2i.export.official.attentive import TEXT
from t2i.export.official.inspection import inspect
from t2i.export.official.kinds import recognise, renamed
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.export.official.table import KINDS
from t2i.export.official.tables import open_checkpoint
from t2i.models import attngan, controlgan, damsm, dmgan, mirrorgan, renames
from t2i.runtime.bundle import Bundle, Text
from t2i.runtime.errors import ExportError
from t2i.runtime.sessions import Session, open_session
from t2i.runtime.text import Tokenizer

CASES = {case.name: case for case in cases("attngan")}
WORDS = [f"word{i}" for i in range(1, 40)]


def state_of(case: Case) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.asarray(each)) for name, each in case.state().items()}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The golden text encoder and a vocabulary of its size, as options."""
    folder = tmp_path_factory.mktemp("text")
    encoder = save_legacy(state_of(CASES["text_encoder_full"]), folder / "text_encoder.pth")
    words = save_words(WORDS, folder / "captions.pickle")
    return [f"--text-weights={encoder}", f"--vocabulary={words}"]


def check_text(session: Session) -> None:
    """Captions of one length, and of one word, read as the official encoder reads them."""
    for name in ("text_encoder_full", "text_encoder_single"):
        case = CASES[name]
        inputs = case.inputs()
        tokens = inputs["captions"][:, : inputs["cap_lens"].max()]
        found = session.run({"tokens": tokens}, ["words", "sentence"])
        case.check({"words_embs": found["words"], "sent_emb": found["sentence"]})


@pytest.mark.slow
@pytest.mark.parametrize(("system", "title"), [("attngan", "AttnGAN"), ("mirrorgan", "MirrorGAN")])
def test_files_become_bundles_that_draw_the_official_pictures(
    system: str, title: str, text: list[str], tmp_path: Path
) -> None:
    (case,) = (each for each in cases(system) if each.name == "generator_single")
    file = save({"netG": parallel(state_of(case)), "epoch": 600}, tmp_path / "netG.pth")
    out = tmp_path / f"{system}.t2i"
    done = typed(system, f"--weights={file}", *text, f"--out={out}")
    assert done.exit_code == 0, done.output
    assert f"{title}'s generator, text_size 256" in done.stderr
    assert "DAMSM's text encoder, 40 words" in done.stderr
    bundle = Bundle.load(out)
    assert (bundle.manifest.precision, bundle.manifest.pixels) == ("fp32", "truncate")
    assert bundle.manifest.training is not None
    assert set(bundle.manifest.training.needs) == {"text-weights", "vocabulary"}
    check_text(open_session(bundle, "text", device="cpu", threads=1))
    inputs = case.inputs()
    fed = {
        "noise": inputs["z_code"],
        "detail": inputs["eps"],
        "sentence": inputs["sent_emb"],
        "words": inputs["word_embs"],
        "mask": ~inputs["mask"],
    }
    names = {"image64": "image_64", "image128": "image_128", "image256": "image"}
    names |= {"attention1": "attention_1", "attention2": "attention_2"}
    session = open_session(bundle, "generator", device="cpu", threads=1)
    found = session.run(fed, list(names.values()))
    case.check({name: found[ours] for name, ours in names.items()})


def files(weights: Path, text: list[str], **settings: Any) -> Files:
    encoder, words = (Path(each.partition("=")[2]) for each in text)
    return Files({"weights": weights, "text-weights": encoder}, words, settings)


@pytest.mark.slow
@torch.no_grad()
def test_attndcgans_file_gives_the_official_picture(
    text: list[str], tmp_path: Path, official_mask: Callable[[Tensor, int], Tensor]
) -> None:
    case = CASES["generator_dcgan"]
    weights = save_legacy(state_of(case), tmp_path / "bird_AttnDCGAN2.pth")
    generator = load("attngan", files(weights, text)).networks["generator"]
    assert isinstance(generator, attngan.Generator)
    given = {name: torch.from_numpy(value) for name, value in case.inputs().items()}
    condition, _, _ = generator.condition(given["sent_emb"], given["eps"])
    hidden = generator.first(condition, given["z_code"])
    for refine in generator.refine:
        mask = official_mask(~given["mask"], hidden[0, 0].numel())
        hidden, _ = refine(hidden, given["word_embs"], mask)
    case.check({"image256": generator.heads[-1](hidden).numpy()})


@pytest.mark.slow
def test_damsms_files_become_the_bundle_of_r_precision(text: list[str], tmp_path: Path) -> None:
    case = CASES["image_encoder_256_align_true"]  # as AttnGAN's encoders were trained
    weights = save_legacy(state_of(case), tmp_path / "image_encoder200.pth")
    out = tmp_path / "damsm.t2i"
    done = typed("damsm", f"--weights={weights}", *text, f"--out={out}")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(out)
    check_text(open_session(bundle, "text", device="cpu", threads=1))
    session = open_session(bundle, "image", device="cpu", threads=1)
    for each in (case, CASES["image_encoder_299"]):  # the same weights; of 299 px none is resized
        seen = session.run({"image": each.inputs()["x"]}, ["regions", "code"])
        each.check({"features": seen["regions"], "cnn_code": seen["code"]})


SMALL = {"text_size": 256, "generator_width": 4, "residuals": 1, "first_px": 8, "noise_size": 5}
RELATIVES: dict[str, Any] = {
    "attngan": attngan,
    "dmgan": dmgan,
    "mirrorgan": mirrorgan,
    "controlgan": controlgan,
}


def saved(system: str, folder: Path, **sizes: Any) -> tuple[Path, nn.Module]:
    """A file of a small generator as official code writes it, and that generator."""
    models = RELATIVES[system]
    generator = models.Generator(models.Settings(1, **{**SMALL, **sizes}))
    table = models.RENAMES["generator"]
    if sizes.get("single_head"):  # AttnDCGAN's one head has a name of its own
        table = {name: ours for name, ours in table.items() if name != "img_net1.img"}
    state = official_state(generator, table)
    if system == "controlgan":  # projections that its code makes and never uses
        state |= {f"h_net{i}.att.conv_context{j}.weight": torch.ones(1) for i in "23" for j in "23"}
    return save(parallel(state), folder / f"{system}.pth"), generator


@pytest.mark.slow
@pytest.mark.parametrize("system", ["dmgan", "controlgan"])
def test_files_of_relatives_become_bundles_that_draw_alike(
    system: str, text: list[str], tmp_path: Path
) -> None:
    file, generator = saved(system, tmp_path)
    official = official_state(generator, RELATIVES[system].RENAMES["generator"])
    renames.load(generator, renames.rename(official, RELATIVES[system].RENAMES["generator"]))
    out = tmp_path / f"{system}.t2i"
    done = typed(system, f"--weights={file}", *text, f"--out={out}")
    assert done.exit_code == 0, done.output
    bundle = Bundle.load(out)
    check_text(open_session(bundle, "text", device="cpu", threads=1))
    fed = {
        "noise": fill.tensor("noise", (2, 5)),
        "detail": fill.tensor("detail", (2, 100)),
        "sentence": fill.tensor("sentence", (2, 256)),
        "words": fill.tensor("words", (2, 256, 6)),
        "mask": np.ones((2, 6), np.bool_),
    }
    found = open_session(bundle, "generator", device="cpu", threads=1).run(fed, ["image"])
    with torch.no_grad():
        drawn = generator.eval()(*map(torch.from_numpy, fed.values()))
    np.testing.assert_allclose(found["image"], drawn.images[-1].numpy(), atol=1e-4)


@pytest.mark.parametrize("system", RELATIVES)
@pytest.mark.parametrize("other", RELATIVES)
def test_relatives_are_told_from_each_other(system: str, other: str, tmp_path: Path) -> None:
    file, _ = saved(other, tmp_path)
    (table,) = inspect(file)["tables"]
    title = {"attngan": "AttnGAN", "dmgan": "DM-GAN", "mirrorgan": "MirrorGAN"}
    assert table["kind"] == f"{title.get(other, 'ControlGAN')}'s generator"
    assert table["for"] == [(other, "weights")]
    if system != other:
        order = (f"--weights={file}", f"--text-weights={file}", f"--vocabulary={file}")
        assert f"holds {table['kind']}, not" in refused(system, *order)


@pytest.mark.parametrize(("words", "data"), [(5450, "CUB"), (27297, "COCO")])
def test_the_data_of_published_files_are_told(words: int, data: str, tmp_path: Path) -> None:
    sizes = damsm.Settings(words, embedding=1, text_size=2)
    encoder = official_state(damsm.TextEncoder(sizes), damsm.RENAMES["text"])
    said = typed("--inspect", save(encoder, tmp_path / "text_encoder.pth")).stdout
    assert f"{words:,} words, as in AttnGAN's captions.pickle for {data}" in said


@pytest.mark.parametrize(
    "sizes",
    [
        {"generator_width": 6, "residuals": 3, "noise_size": 7, "condition_size": 9},
        {"residuals": 0, "single_head": True},
        {"stages": 2, "first_px": 16},
        {"stages": 1, "residuals": 0},
    ],
)
def test_sizes_are_told_by_shapes(sizes: dict[str, Any], tmp_path: Path) -> None:
    file, _ = saved("attngan", tmp_path, **sizes)
    told = inspect(file)["tables"][0]["settings"]
    assert told == {**told, **SMALL, **sizes}


@pytest.mark.parametrize("wrap", [dict, parallel, lambda state: {"state_dict": state, "epoch": 3}])
@pytest.mark.parametrize("save", [save, save_legacy])
def test_wrappers_and_formats_make_no_difference(
    save: Callable[[object, Path], Path], wrap: Callable[[Any], Any], tmp_path: Path
) -> None:
    state = state_of(CASES["text_encoder_gru"])
    checkpoint = open_checkpoint(save(wrap(state), tmp_path / "text_encoder.pth"))
    (found,) = recognise(checkpoint, KINDS)
    assert found.kind is TEXT
    assert found.sizes["cell"] == "gru"
    ours = renamed(found)
    for name, value in state.items():
        read = ours[str(renames.new_name(name, damsm.RENAMES["text"]))]
        assert torch.equal(read[: len(value)], value)


def test_tensors_that_share_their_numbers_are_told_apart(tmp_path: Path) -> None:
    numbers = torch.arange(24.0)
    state = {"a": numbers[:6].reshape(2, 3), "b": numbers[6:].reshape(3, 6).T}
    for write in (save, save_legacy):
        table = open_checkpoint(write(state, tmp_path / "shared.pth")).tables[""]
        assert all(torch.equal(table[name], value) for name, value in state.items())


def test_a_critic_in_the_place_of_a_generator_is_named(text: list[str], tmp_path: Path) -> None:
    critic = save(state_of(CASES["discriminator64"]), tmp_path / "netD0.pth")
    said = refused("attngan", f"--weights={critic}", *text)
    assert "holds a critic of AttnGAN, MirrorGAN or ControlGAN, not AttnGAN's generator" in said


def test_another_data_sets_vocabulary_is_named(text: list[str], tmp_path: Path) -> None:
    words = save_words(WORDS[:-3], tmp_path / "captions.pickle")
    file, _ = saved("attngan", tmp_path)
    said = refused("attngan", f"--weights={file}", text[0], f"--vocabulary={words}")
    assert "reads 40 words" in said
    assert "lists 37" in said


def test_the_likely_vocabulary_is_named(tmp_path: Path) -> None:
    words = save_words(WORDS, tmp_path / "captions.pickle")
    few = vocabulary.read("words", words, None)
    assert few is not None
    with pytest.raises(ExportError, match="reads 5,450 words") as caught:
        vocabulary.check(few, 5451, words, Path("text_encoder200.pth"))
    assert "captions.pickle for CUB" in caught.value.hint


def test_encoders_of_another_width_do_not_go_with_a_generator(
    text: list[str], tmp_path: Path
) -> None:
    file, _ = saved("attngan", tmp_path, text_size=32)
    said = refused("attngan", f"--weights={file}", *text)
    assert "has text_size 256" in said
    assert "has 32" in said


def test_a_missing_file_and_one_too_many_are_wrong_usage(text: list[str], tmp_path: Path) -> None:
    file, _ = saved("attngan", tmp_path)
    said = refused("attngan", f"--weights={file}", status=2)
    assert "attngan needs --text-weights and --vocabulary" in said
    said = refused("attngan", f"--weights={file}", *text, f"--image-weights={file}", status=2)
    assert "attngan has no such file" in said
    assert "begin with --weights" in refused("attngan", *text, status=2)
    assert "no official files of tacgan" in refused("tacgan", f"--weights={file}", status=2)
    assert "no system is named" in refused(f"--weights={file}", status=2)
    said = refused("attngan", f"--weights={file}", *text, "--set=stagse=3", status=2)
    assert "did you mean 'stages'" in said


def test_a_weight_that_is_missing_or_of_another_shape_is_named(
    text: list[str], tmp_path: Path
) -> None:
    _, generator = saved("attngan", tmp_path)
    state = official_state(generator, attngan.RENAMES["generator"])
    for change, wrong in (
        (
            {"img_net3.img.0.weight": None},
            "altered.pth: the weights do not fit the network: missing img_net3.img",
        ),
        (
            {"h_net3.att.conv_context.weight": torch.ones(3, 3, 1, 1)},
            "h_net3.att.conv_context.weight is (3, 3, 1, 1), not (4, 256, 1, 1)",
        ),
        ({"h_net4.strange": torch.ones(1)}, "no place for: h_net4.strange"),
    ):
        altered = {k: v for k, v in {**state, **change}.items() if v is not None}
        file = save(altered, tmp_path / "altered.pth")
        assert wrong in refused("attngan", f"--weights={file}", *text)


def test_a_layer_of_absurd_width_costs_no_memory(text: list[str], tmp_path: Path) -> None:
    _, generator = saved("attngan", tmp_path)
    state = official_state(generator, attngan.RENAMES["generator"])
    state["h_net1.upsample1.1.weight"] = torch.ones(2**22, 1, 1, 1)
    file = save(state, tmp_path / "wide.pth")
    assert "do not fit the network" in refused("attngan", f"--weights={file}", *text)
    stages = {f"h_net1.upsample{place}.1.weight": torch.ones(8, 1, 1, 1) for place in range(1, 70)}
    file = save({**state, **stages}, tmp_path / "tall.pth")
    said = refused("attngan", f"--weights={file}", *text)
    assert "no network of these sizes" in said or "no place for" in said


def spelt(file: Path, caption: str) -> list[int]:
    """The ids of a caption's words in a vocabulary."""
    words = vocabulary.read("words", file, None)
    assert words is not None
    text = Text("tokenizer.json", "", words.text.length, "drop")
    return Tokenizer.from_json(words.tokenizer, text).encode([caption])[0].tolist()


def test_words_that_no_caption_can_spell_keep_their_ids(tmp_path: Path) -> None:
    file = save_words(["a", "<unk>", "bird"], tmp_path / "bird_captions.pickle")
    assert spelt(file, "a red bird") == [1, 3]


def test_a_vocabulary_of_python_2_may_have_bytes_that_are_no_unicode(tmp_path: Path) -> None:
    file = save_words(["a", "caf\xe9", "bird"], tmp_path / "captions.pickle")
    data = file.read_bytes().replace(b"\5\0\0\0caf\xc3\xa9", b"\4\0\0\0caf\xe9")
    assert data.count(b"X") == 4  # words are texts; Python 2 had bytes
    file.write_bytes(data.replace(b"X", b"T"))
    assert spelt(file, "a red bird") == [1, 3]
