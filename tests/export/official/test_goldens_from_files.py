"""From a file to the float output of a graph: what the official code gives.

Cases of which no bundle is made beside the files of their systems: other sizes, by the graphs that
a bundle of `--fp32` holds, and captions of unequal lengths, by the imported networks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from golden import HERE, Case, cases
from official_files import State, official_state, parallel, save, save_legacy, save_words
from torch import Tensor

from t2i.export import contents
from t2i.export.official.load import load
from t2i.export.official.published import Files
from t2i.export.trace import trace
from t2i.export.trained import Trained
from t2i.models import attngan, charcnnrnn, damsm, mirrorgan, stackgan1, stream, stylegan2
from t2i.runtime.bundle import Text
from t2i.runtime.text import Tokenizer, character_tokenizer, vocabulary_size

pytestmark = pytest.mark.slow

Arrays = dict[str, npt.NDArray[Any]]
CASES = {
    f"{system}/{case.name}": case
    for system in ("attngan", "mirrorgan", "gancls", "charcnnrnn", "clip", "stylegan2")
    for case in cases(system)
}
WORDS = [f"word{i}" for i in range(1, 40)]


def state_of(case: Case) -> State:
    return {name: torch.as_tensor(each) for name, each in case.state().items()}


def graph(trained: Trained, role: str) -> Callable[[Arrays], Arrays]:
    """A graph of a bundle, ready to run."""
    (plan,) = (each for each in contents.plans_of(trained) if each.role == role)
    session = onnxruntime.InferenceSession(
        trace(plan).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in plan.outputs]

    def run(fed: Arrays) -> Arrays:
        return dict(zip(names, session.run(names, fed), strict=True))

    return run


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_words(WORDS, tmp_path_factory.mktemp("words") / "captions.pickle")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = state_of(CASES["attngan/text_encoder_full"])
    return save_legacy(state, tmp_path_factory.mktemp("text") / "text_encoder.pth")


def drawing(system: str, case: Case, text: Path, words: Path, folder: Path) -> Trained:
    file = save(parallel(state_of(case)), folder / "netG_epoch_600.pth")
    return load(system, Files({"weights": file, "text-weights": text}, words))


@pytest.mark.parametrize("system", ["attngan", "mirrorgan"])
@torch.no_grad()
def test_pictures_of_captions_of_unequal_lengths(
    system: str,
    text: Path,
    words: Path,
    tmp_path: Path,
    official_mask: Callable[[Tensor, int], Tensor],
) -> None:
    case = CASES[f"{system}/generator_masked"]
    generator = drawing(system, case, text, words, tmp_path).networks["generator"]
    assert isinstance(generator, attngan.Generator | mirrorgan.Generator)
    given = {name: torch.from_numpy(value) for name, value in case.inputs().items()}
    condition, _, _ = generator.condition(given["sent_emb"], given["eps"])
    hidden, seen = generator.first(condition, given["z_code"]), (given["word_embs"],)
    if isinstance(generator, mirrorgan.Generator):
        seen = (condition, *seen)
    for refine in generator.refine:
        mask = official_mask(~given["mask"], hidden[0, 0].numel())
        hidden, _ = refine(hidden, *seen, mask)
    case.check({"image256": generator.heads[-1](hidden).numpy()})


@pytest.mark.parametrize("kind", ["padded", "gru"])
@torch.no_grad()
def test_captions_of_unequal_lengths(kind: str, tmp_path: Path) -> None:
    case = CASES[f"attngan/text_encoder_{kind}"]
    count = case.settings["ntoken"]
    file = save(state_of(case), tmp_path / "text_encoder.pth")
    listed = save_words([f"word{i}" for i in range(1, count)], tmp_path / "captions.pickle")
    small = attngan.Settings(1, generator_width=2, first_px=8, residuals=0, stages=1)
    generator = official_state(attngan.Generator(small), attngan.RENAMES["generator"])
    files = {"weights": save(generator, tmp_path / "netG.pth"), "text-weights": file}
    encoder = load("attngan", Files(files, listed)).networks["text"]
    assert isinstance(encoder, damsm.TextEncoder)
    given = case.inputs()
    read = encoder(torch.from_numpy(given["captions"]))
    longest = int(given["cap_lens"].max())
    case.check(
        {"words_embs": read.words[:, :, :longest].numpy(), "sent_emb": read.sentence.numpy()}
    )


def test_what_damsm_sees_that_resizes_otherwise(text: Path, words: Path, tmp_path: Path) -> None:
    case = CASES["attngan/image_encoder_256_align_false"]
    files = {"weights": save(state_of(case), tmp_path / "image.pth"), "text-weights": text}
    trained = load("damsm", Files(files, words, {"align_corners": False}))
    seen = graph(trained, "image")({"image": case.inputs()["x"]})
    case.check({"features": seen["regions"], "cnn_code": seen["code"]})


def test_pictures_of_gancls_in_its_full_width(tmp_path: Path) -> None:
    case = CASES["gancls/generator_full"]
    given, file = case.inputs(), save(state_of(case), tmp_path / "gen.pth")
    noise = given["z"].reshape(len(given["z"]), -1)
    draw = graph(load("gancls", Files({"weights": file})), "generator")
    case.check({"image": draw({"noise": noise, "sentence": given["embed_vector"]})["image"]})


@pytest.mark.parametrize("name", ["cvpr_rnn", "icml_flowers_rnn", "icml_birds_gru"])
def test_captions_in_letters(name: str, tmp_path: Path) -> None:
    case = CASES[f"charcnnrnn/{name}"]
    letters = vocabulary_size(character_tokenizer())
    small = stackgan1.Settings(letters, generator_width=2, first_px=8, condition_size=3)
    drawing = stackgan1.networks(small)["generator"]
    weights = save(official_state(drawing, stackgan1.RENAMES["generator"]), tmp_path / "netG.pth")
    encoder = save(state_of(case), tmp_path / "encoder.pth")
    trained = load("stackgan1", Files({"weights": weights, "text-weights": encoder}))
    captions = np.atleast_1d(case.inputs()["caption"]).tolist()
    text = Text("tokenizer.json", "", charcnnrnn.LENGTH, "keep")
    tokens = Tokenizer.from_json(trained.tokenizer, text).encode(captions)
    case.check({"embedding": graph(trained, "text")({"tokens": tokens})["sentence"]})


def test_captions_of_clip_beside_a_residual_network(tmp_path: Path) -> None:
    case = CASES["clip/resnet_tiny"]
    file = save(state_of(case), tmp_path / "model.pt")
    trained = load("clip", Files({"weights": file}, HERE / "bpe_simple_vocab_16e6.txt.gz"))
    tokens = case.expected["tokens"].astype(np.int64)
    case.check({"text_features": graph(trained, "text")({"tokens": tokens})["sentence"]})


@pytest.mark.parametrize("name", ["generator_32", "generator_64_official_widths"])
def test_pictures_of_stylegan2(name: str, tmp_path: Path) -> None:
    """Graphs cut pictures to their range, official code does so when it saves them."""
    case = CASES[f"stylegan2/{name}"]
    file = save({"g_ema": state_of(case)}, tmp_path / "550000.pt")
    trained = load("stylegan2", Files({"weights": file}))
    sizes: stylegan2.Settings = trained.sizes
    noises = [case.state()[f"noises.noise_{i}"].ravel() for i in range(len(sizes.grain_sides))]
    latent = case.expected["w"]
    fed = {
        "latents": np.repeat(latent[:, None], sizes.layers, axis=1),
        "grain": np.repeat(np.concatenate(noises)[None], len(latent), axis=0),
    }
    drawn, wanted = graph(trained, "generator")(fed)["image"], case.spec["outputs"]["image"]
    shown = drawn[tuple(slice(None, None, each) for each in wanted.get("stride", ()))]
    official = np.clip(case.expected["image"], -1, 1)
    assert (np.abs(official) < 1).mean() > 0.1, "else this shows nothing"
    np.testing.assert_allclose(shown, official, atol=2e-4)


def test_latents_of_stylegan2_in_its_full_width(tmp_path: Path) -> None:
    case = CASES["stylegan2/generator_64_official_widths"]
    file = save({"g_ema": state_of(case)}, tmp_path / "550000.pt")
    z = case.inputs()["z"]
    fed = {"noise": z, "truncation": np.ones(len(z), np.float32)}
    tell = graph(load("stylegan2", Files({"weights": file})), "mapping")
    case.check({"w": tell(fed)["latents"][:, 0]})


@pytest.fixture(scope="module")
def describing(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """STREAM of both its files."""
    folder, said = tmp_path_factory.mktemp("stream"), CASES["mirrorgan/stream_rnn"]
    count = said.settings["vocab_size"]
    listed = save_words([f"word{i}" for i in range(1, count)], folder / "bird_captions.pickle")
    seen = state_of(CASES["mirrorgan/stream_cnn"])
    files = {
        "weights": save_legacy(state_of(said), folder / "rnn_decoder.ckpt"),
        "image-weights": save_legacy(seen, folder / "cnn_encoder.ckpt"),
    }
    return load("stream", Files(files, listed))


def test_words_of_stream(describing: Trained) -> None:
    """Said one by one, each as the most probable one or as the caption has it."""
    case = CASES["mirrorgan/stream_rnn"]
    given, say = case.inputs(), graph(describing, "caption")
    picture, captions, lengths = given["features"], given["captions"], given["cap_lens"]
    count, words = len(picture), case.settings["vocab_size"]

    def begin() -> Arrays:
        state = np.zeros((count, 2, describing.sizes.state_size), np.float32)
        return {"picture": picture, "word": np.zeros(count, np.int64), "state": state}

    fed, told = begin(), []
    for place in range(captions.shape[1]):
        after = say(fed)
        told += [after["next"][row] for row in range(count) if place < lengths[row]]
        fed |= {"word": captions[:, place], "state": after["state_after"]}
    probable = torch.from_numpy(case.expected["logits"]).softmax(dim=1).numpy()
    np.testing.assert_allclose(np.stack(told)[:, :words], probable, atol=1e-5)
    assert not np.stack(told)[:, words:].any(), "nobody says the unknown word"

    fed, said = begin(), []
    for _ in range(case.settings["max_seq_length"]):
        after = say(fed)
        said.append(after["next"].argmax(axis=1))
        fed |= {"word": said[-1], "state": after["state_after"]}
    case.check({"sample": np.stack(said, axis=1)})


@torch.no_grad()
def test_what_stream_sees(describing: Trained) -> None:
    """By the imported network: the graph of fifty blocks takes a minute to trace."""
    case = CASES["mirrorgan/stream_cnn"]
    reader = describing.networks["image"]
    assert isinstance(reader, stream.PictureReader)
    found, wanted = reader(torch.from_numpy(case.inputs()["images"])), case.expected["features"]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4 * np.abs(wanted).max())
