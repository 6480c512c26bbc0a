"""DALL-E's graphs draw, token by token, what PyTorch draws without a cache."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import failed
from PIL import Image
from telling import SIZES, networks, write_run
from typer.testing import CliRunner

from t2i.export.publish import Request, export
from t2i.export.trained import load as load_run
from t2i.models import dalle, dvae
from t2i.runtime import noise
from t2i.runtime.bundle import Bundle, Graph, Manifest
from t2i.runtime.cli.run import app
from t2i.runtime.decode import Decoder, Opening, Sampling, pick
from t2i.runtime.draw import Painter, load
from t2i.runtime.errors import UsageError
from t2i.runtime.rules import problems

pytestmark = pytest.mark.slow

CAPTIONS = ["a red bird", "blue", "a small bird, yellow"]
SIDE = SIZES.dvae.side
COUNT = SIDE**2


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported bundle, in float32."""
    root = tmp_path_factory.mktemp("dalle")
    export(Request(load_run(write_run(root / "run")), "fp32", root / "tiny.t2i"))
    return root / "tiny.t2i"


def decoder_of(painter: Painter) -> Decoder:
    assert isinstance(painter._generator, Decoder)
    return painter._generator


def drawn_tokens(painter: Painter, captions: list[str], seed: int) -> np.ndarray:
    """What the runtime draws, with its cache."""
    seeds = range(seed, seed + len(captions))
    feeds = {**noise.draw(seeds, painter.manifest.noise), **painter._read(captions)}
    return decoder_of(painter).tokens(feeds)


@torch.no_grad()
def uncached_tokens(
    painter: Painter, captions: list[str], seed: int, sampling: Sampling
) -> np.ndarray:
    """What PyTorch draws, which reads all from the beginning for each token."""
    transformer = networks()["transformer"].eval()
    assert isinstance(transformer, dalle.Transformer)
    assert painter._tokenizer
    tokens = torch.from_numpy(painter._tokenizer.encode(captions))
    empty = torch.tensor([[SIZES.vocabulary - 2, SIZES.vocabulary - 1]]).expand(len(captions), 2)
    seeds = range(seed, seed + len(captions))
    draws = (noise.draw(seeds, painter.manifest.noise)["noise"].astype(float) + 1) / 2
    codes = torch.zeros(len(captions), COUNT, dtype=torch.int64)
    for place in range(COUNT):
        told = transformer(tokens, codes)[1][:, place].numpy()
        without = transformer(empty, codes)[1][:, place].numpy()
        logits = without + np.float32(sampling.guidance) * (told - without)
        codes[:, place] = torch.from_numpy(pick(logits, draws[:, place], sampling))
    return codes.numpy()


def test_graphs_compute_what_pytorch_computes(path: Path) -> None:
    check = Bundle.load(path).manifest.check
    assert check.worst <= check.tolerance == 1e-4


@pytest.mark.parametrize("captions", [CAPTIONS[:1], CAPTIONS])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.8, 9, 0.9, guidance=2.0)])
def test_cached_tokens_are_those_without_a_cache(
    path: Path, captions: list[str], sampling: Sampling
) -> None:
    painter = load(path, device="cpu", threads=1, sampling=sampling)
    found = drawn_tokens(painter, captions, seed=5)
    np.testing.assert_array_equal(found, uncached_tokens(painter, captions, 5, sampling))
    assert len(np.unique(found)) > 4, "tokens differ, or this shows nothing"


def test_the_picture_is_that_of_its_tokens(path: Path) -> None:
    painter = load(path, device="cpu", threads=1)
    tokens = torch.from_numpy(drawn_tokens(painter, CAPTIONS, seed=5))
    decoder = networks()["decoder"]
    assert isinstance(decoder, dvae.Decoder)
    wanted = decoder.draw(tokens.unflatten(1, (SIDE, SIDE))).detach().permute(0, 2, 3, 1)
    levels = (wanted.numpy() + 1) * 127.5
    assert np.abs(painter.draw(CAPTIONS, seed=5) - levels).max() <= 0.6


def test_each_stage_shows_a_quarter_more_on_grey(path: Path) -> None:
    painter = load(path, device="cpu", threads=1)
    assert painter.stages == {"image_4": 4, "image_8": 8, "image_12": 12}
    painting = painter.paint(CAPTIONS[:1], seeds=[5], outputs=("image", *painter.stages))
    for shown, picture in painting.stages.items():
        rows = 8 * shown // SIDE
        assert (picture[0, rows:] == 128).all()
        assert picture[0, :rows].std() > 0
        assert picture.shape == painting.pictures.shape


def test_a_picture_is_gone_on_with_from_its_upper_rows(path: Path) -> None:
    plain = load(path, device="cpu", threads=1)
    given = plain.draw(["another bird"], seed=9)[0]
    codes = plain.bundle.graph("codes")
    assert codes.outputs[0].shape == ("B", SIZES.dvae.codes, SIDE, SIDE)
    encoder = networks()["encoder"]
    levels = torch.from_numpy(given).permute(2, 0, 1)[None].float() / 127.5 - 1
    own = encoder(dvae.mapped(levels)).argmax(dim=1).flatten().numpy()
    drawn = {
        rows: drawn_tokens(
            load(path, device="cpu", threads=1, opening=Opening(given, rows)), CAPTIONS, seed=5
        )
        for rows in (1, 3, None)
    }
    for rows, tokens in drawn.items():
        kept = SIDE * (SIDE // 2 if rows is None else rows)
        assert (tokens[:, :kept] == own[:kept]).all()
    assert (drawn[1][:, SIDE:] != drawn[3][:, SIDE:]).any()
    for rows in (0, SIDE, -1):
        with pytest.raises(UsageError, match="rows of 4") as caught:
            load(path, device="cpu", opening=Opening(given, rows))
        assert "1 to 3" in caught.value.hint


def test_the_command_draws_stages_and_goes_on_with_a_picture(path: Path, tmp_path: Path) -> None:
    given, out = tmp_path / "given.png", tmp_path / "bird.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)).save(given)
    arguments = ["a red bird", f"--model={path}", f"--out={out}", "--stages", "--top-p=0.9"]
    arguments += [f"--complete={given}", "--keep-rows=2", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    names = [Path(each).name for each in record["beside"]]
    assert names == ["bird-4.png", "bird-8.png", "bird-12.png"]
    assert "70 × 50: the square in its middle is resized to 32 × 32" in done.stderr
    with Image.open(out) as picture:
        assert (picture.size, picture.info["top_p"]) == ((32, 32), "0.9")
        assert (picture.info["complete"], picture.info["keep_rows"]) == ("given.png", "2")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--top-p=0"], 2, "no share of what is probable"),
        (["--top-p=1.5"], 2, "no share of what is probable"),
        (["--temperature=0"], 2, "draws nothing"),
        (["--top-k=0"], 2, "are none"),
        (["--keep-rows=2"], 2, "--complete PICTURE"),
        (["--complete={picture}", "--keep-rows=4"], 2, "4 rows of 4"),
        (["--complete={text}"], 1, "cannot be read as a picture"),
        (["--attention"], 2, "draws without attention"),
    ],
)
def test_what_cannot_be_drawn_so_is_refused(
    path: Path, tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    picture, text = tmp_path / "given.png", tmp_path / "text.png"
    Image.new("RGB", (32, 32)).save(picture)
    text.write_text("no picture")
    told = [each.format(picture=picture, text=text) for each in arguments]
    done = CliRunner().invoke(app, ["a red bird", f"--model={path}", *told])
    assert message in failed(done, status)


def test_a_bundle_whose_graphs_do_not_fit_together_is_refused(path: Path) -> None:
    manifest = Bundle.load(path).manifest
    assert not list(problems(manifest))

    def told(role: str, **changed: object) -> str:
        graphs = (
            replace(each, **changed) if each.role == role else each for each in manifest.graphs
        )
        return " ".join(problems(replace(manifest, graphs=tuple(graphs))))

    step, pixels = (bundle_graph(manifest, role) for role in ("step", "pixels"))
    cache = step.inputs[-1]
    short = replace(cache, shape=(COUNT - 1, *cache.shape[1:]))
    assert "step: not from" in told("step", inputs=(*step.inputs[:-1], short))
    assert "step: not from" in told("step", outputs=step.outputs[:-1])
    odd = replace(pixels.inputs[0], shape=("B", COUNT - 1))
    assert "pixels: not from" in told("pixels", inputs=(odd,))
    assert "codes: not from" in told("codes", outputs=())
    assert "prefill: its one input" in told("prefill", inputs=())
    without = tuple(each for each in manifest.graphs if each.role != "prefill")
    assert "need each other" in " ".join(problems(replace(manifest, graphs=without)))
    assert "one uniform draw" in " ".join(problems(replace(manifest, noise=())))


def bundle_graph(manifest: Manifest, role: str) -> Graph:
    return next(each for each in manifest.graphs if each.role == role)
