"""The page that shows results: whole, small, and safe whatever captions say."""

import base64
import hashlib
import html
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from commands import failed
from judges import PRIMARY, flat, write_colourist, write_judge, write_matcher
from PIL import Image
from typer.testing import CliRunner, Result

import t2i
from t2i.runtime.cli.score import app
from t2i.runtime.score import report
from t2i.runtime.score.charts import drawn
from t2i.runtime.score.inception import divergences, score_of
from t2i.runtime.score.kernel import witness
from t2i.runtime.score.neighbours import detail, overlap
from t2i.runtime.score.sets import Curve

EVIL = "<script>alert('a bird')</script>"


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.tags if each == tag]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for each kind of metric, and two sets of pictures with captions."""
    folder = tmp_path_factory.mktemp("world")
    write_judge(folder)
    write_matcher(folder)
    write_colourist(folder)
    random = np.random.default_rng(0)
    for name in ("real", "fake"):
        (folder / name).mkdir()
        for n in range(30):
            path = folder / name / f"{n:02}.png"
            Image.fromarray(flat(random.uniform(-1, 1, 3), px=24)).save(path)
    (folder / "fake" / "07.png").write_bytes(b"broken")
    return folder


@pytest.fixture(autouse=True)
def here(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for each in world.iterdir():
        (tmp_path / each.name).symlink_to(each)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def score(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--device=cpu", "--threads=1"])


def page_of(*arguments: str) -> tuple[str, Page]:
    done = score(*arguments, "--report=out.html")
    assert done.exit_code == 0, done.output
    assert "wrote out.html" in done.stderr
    text = Path("out.html").read_text(encoding="utf-8")
    return text, Page(text)


SETS = ("fid,kid,prdc,is", "real", "fake", "--subset=20")
SETS += tuple(f"--with={metric}=judge.t2i" for metric in ("fid", "kid", "prdc", "is"))


@pytest.fixture(scope="module")
def shown(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page, str]:
    """The page of all metrics of sets, and what was printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        out = tmp_path_factory.mktemp("page") / "out.html"
        done = score(*SETS, f"--report={out}")
        assert done.exit_code == 0, done.output
        text = out.read_text(encoding="utf-8")
        return text, Page(text), done.stdout


@pytest.mark.slow
def test_it_shows_every_number_and_its_protocol(shown: tuple[str, Page, str]) -> None:
    text, page, printed = shown
    lines = printed.splitlines()
    for metric in ("fid", "kid", "prdc", "is"):
        assert f"{metric} (judge)" in page.words
        assert f"Worst by {metric} (judge)" in page.words
    value = lines[0].split()[2]
    assert value in page.words
    judge = re.search(r"judge [0-9a-f]{64}", text)
    assert judge, "the extractor's hash"
    assert {"definition", "extractor", "software", "inputs"} <= set(page.words)
    assert "fake/07.png" in page.words, "what was left out"


@pytest.mark.slow
def test_it_needs_no_network_and_runs_no_script_but_its_own(shown: tuple[str, Page, str]) -> None:
    text, page, _ = shown
    assert all(each["src"].startswith("data:image/jpeg;base64,") for each in page.all("img"))  # type: ignore[union-attr]
    assert not page.all("link")
    assert not re.search(r"(?:href|src)=\"(?!data:|#)", text)
    assert not re.search(r"url\((?!#)", text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    sha256 = hashlib.sha256(script.encode()).digest()
    policy = page.all("meta")[2]["content"]
    assert f"'sha256-{base64.b64encode(sha256).decode()}'" in str(policy)


@pytest.mark.slow
def test_names_are_unique_and_what_is_opened_is_closed(shown: tuple[str, Page, str]) -> None:
    text, page, _ = shown
    names = [each["id"] for _, each in page.tags if each.get("id")]
    assert len(names) == len(set(names))
    for tag in ("ul", "li", "section", "table", "div", "figure", "svg"):
        assert text.count(f"<{tag}") - text.count(f"</{tag}>") == 0, tag


@pytest.mark.slow
def test_curves_are_drawn_in_the_colours_of_the_page(shown: tuple[str, Page, str]) -> None:
    text, page, _ = shown
    assert len(page.all("figure")) == 2
    assert "FID over sample size" in page.words
    assert "var(--series-1)" in text
    assert "var(--series-2)" in text
    assert "currentColor" in text
    assert not any(colour in text for colour in ("#010203", "#010204"))


def test_pairs_lie_beside_their_maps(here: Path) -> None:
    text, page = page_of("ssim,psnr", "real", "fake")
    labels = [each["alt"] for each in page.all("img")]
    assert labels.count("reference") == labels.count("picture") == labels.count("SSIM") > 29
    assert "Best by ssim" in page.words
    assert "Worst by psnr" in page.words
    last = text[text.index("Worst by ssim") :]
    worst = min(
        (t2i.score.ssim(here / "real" / name, here / "fake" / name), name)
        for name in (f"{n:02}.png" for n in range(30) if n != 7)
    )
    assert re.search(r"(\d\d\.png)", last).group(1) == worst[1]  # type: ignore[union-attr]


def test_captions_stand_beside_pictures_and_cannot_act(here: Path) -> None:
    told = [(f"{name} bird", name) for name in PRIMARY] + [(f"red bird {EVIL}", "red")]
    lines = [json.dumps({"text": text, "facts": {"main": name}}) for text, name in told]
    (here / "captions.jsonl").write_text("\n".join(lines))
    order = ("attributes", "--model=colourist.t2i", "--captions=captions.jsonl", "--total=8")
    text, page = page_of(*order, "--with=attributes=judge.t2i")
    assert EVIL not in text
    assert html.escape(EVIL, quote=True).replace("&#x27;", "&#39;") in text
    assert page.words.count("green bird") >= 2, "in the gallery, and among the best"
    assert "seed 3" in page.words
    (search,) = [each for each in page.all("input") if each["type"] == "search"]
    assert search["aria-label"]


def test_the_page_stays_small_however_many_pictures(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_BYTES", 5000)
    text, page = page_of("psnr", "real", "fake")
    assert 1 < len(page.all("img")) < 20
    assert len(text) < 40_000


def test_a_thumbnail_is_small_and_keeps_its_shape() -> None:
    pixels = np.zeros((300, 600, 3), np.uint8)
    (thumbnail,) = report.Printer().thumbnail(pixels)
    assert (thumbnail.width, thumbnail.height) == (176, 88)
    data = base64.b64decode(thumbnail.uri.partition(",")[2])
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (176, 88)


@pytest.mark.slow
def test_the_same_curve_is_the_same_drawing() -> None:
    curve = Curve("a", "x", "<y>", {"one": [(1, 2), (2, 3)], "<two>": [(1, 1), (2, 5)]})
    assert drawn(curve) == drawn(curve)
    assert "&lt;two&gt;" in drawn(curve)


def test_what_is_there_is_kept_and_what_is_missing_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "out.html").write_text("mine")
    assert "out.html is there already" in failed(score("psnr", "real", "fake", "--report=out.html"))
    assert "is no .html" in failed(score("psnr", "real", "fake", "--report=out.pdf"), 2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = failed(score("psnr", "real", "fake", "--report=new.html"))
    assert "needs matplotlib" in said
    assert "pip install 't2i[report]'" in said


def test_precision_and_recall_for_every_ball_are_those_of_the_metric() -> None:
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(40, 3)), random.normal(0.5, size=(30, 3))
    found = detail(real, fake)
    for k, shares in enumerate(zip(found.precision, found.recall, strict=True), 1):
        wanted = overlap(real, fake, k=k)
        assert shares == (wanted.precision, wanted.recall)
    assert np.isinf(detail(real, real).realism).any(), "the very same picture"
    far = detail(real, np.concatenate([fake, [[99.0, 0, 0]]]))
    assert int(np.argmin(far.realism)) == 30
    assert all(np.diff(found.recall) >= 0)


def test_the_witness_knows_who_is_like_the_real_ones() -> None:
    random = np.random.default_rng(0)
    real = random.normal(2, 1, (50, 4))
    fake = np.concatenate([random.normal(2, 1, (20, 4)), random.normal(-2, 1, (40, 4))])
    found = witness(fake, real, 30)
    assert found[:20].min() > np.median(found[20:])


def test_the_divergences_of_pictures_make_the_inception_score() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 6)).astype(np.float32)
    logits[:, 5] = -2000  # a kind that no picture has
    found = divergences(logits)
    score, _ = score_of(logits, 1)
    assert np.exp(found.mean()) == pytest.approx(score, rel=1e-12)
    likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    usual = np.append(np.log(likely.mean(0)[:5]), -2000)
    assert divergences(np.concatenate([logits, [usual]]))[-1] == pytest.approx(0, abs=1e-9)
