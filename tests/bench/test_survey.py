"""The survey of made-up rows: its table, its page, and whom it refuses."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browsers import chromium
from PIL import Image

from bench.survey import documents, rows
from t2i.runtime.errors import ScoreError

if TYPE_CHECKING:
    from playwright.sync_api import Page

Record = dict[str, Any]


def scored(value: float, spread: float | None = None, **parts: float) -> Record:
    """What `t2i-score --json` says, as far as a row is read."""

    def interval(middle: float) -> list[float] | None:
        return None if spread is None else [middle - spread, middle + spread]

    return {
        "value": value,
        "interval": interval(value),
        "parts": [
            {"name": name.replace("_", " "), "value": each, "interval": interval(each)}
            for name, each in parts.items()
        ],
        "protocol": {"extractor": "a judge"},
    }


def row(system: str, source: str, attributes: float, fid: float, **more: Any) -> Record:
    """A system that draws; its main colours are as well seen as its attributes."""

    def point(minutes: float, share: float) -> Record:
        scores = {
            "attributes": scored(share * attributes, 0.01, back=share * attributes),
            "r-precision": scored(share / 2, 0.01),
            "fid": scored(fid / share),
            "is": scored(2.5),
            "diversity": scored(4.0, ratio_to_rendered_pictures=1.25),
        }
        return {"minutes": minutes, "steps": 1, "images_seen": 1, "scores": scores}

    return {
        "system": system,
        "source": source,
        "condition": "caption",
        "parameters": 1_250_000,
        "bundle_bytes": 2_500_000,
        "cpu_ms": 2.5,
        "machine": "a machine",
        "needs": {"damsm": 20.7},
        "curve": [point(5.0, 0.5), point(20.1, 1.0)],
        "baselines": {
            "mean picture": {"attributes": scored(0.18, 0.01, back=0.13), "fid": scored(166.0)},
            "captions shuffled": {"attributes": scored(0.17, 0.01, back=0.1)},
        },
        "command": f"python -m bench.survey row {system}",
        **more,
    }


def records() -> dict[str, Record]:
    """By the names of their files."""
    clip = row("clip", "Radford et al., ICML 2021", 0, 0, needs={})
    clip["curve"] = [
        {"minutes": 19.0, "steps": 1600, "scores": {"r-precision": scored(0.95, 0.01)}}
    ]
    clip["baselines"] = {"chance": {"r-precision": {"value": 0.01}}}
    return {
        "attngan": row("attngan", "Xu et al., CVPR 2018", 0.478, 50.0),
        "attngan+no-damsm": row("attngan", "Xu et al., CVPR 2018", 0.18, 70.0, without="damsm"),
        "gancls": row("gancls", "Reed et al., ICML 2016", 0.375, 64.0),
        "acgan": row("acgan", "Odena et al., ICML 2017", 0.727, 65.0, condition="class"),
        "clip": clip,
    }


def save(some: dict[str, Record], folder: Path) -> Path:
    random = np.random.default_rng(0)
    for name, record in some.items():
        (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
        if name != "clip":
            pixels = random.integers(0, 255, (4 * 20 - 4, 8 * 20 - 4, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def lines(document: str) -> dict[str, list[str]]:
    """Cells of the table by the first of a line."""
    found = [line.strip("|").split("|") for line in document.splitlines() if line.startswith("| ")]
    return {first.strip(): [each.strip() for each in rest] for first, *rest in found}


def test_the_table_is_in_the_order_of_papers_and_tells_the_numbers_of_the_rows(
    tmp_path: Path,
) -> None:
    table = lines(documents.document(rows.read(save(records(), tmp_path))))
    heads = dict(zip(table[""], range(20), strict=False))
    order = [name for name in table if "../models/cards" in name or "without" in name]
    titles = [re.sub(r"\[(.*?)\].*", r"\1", name) for name in order]
    assert titles == ["GAN-CLS", "AC-GAN", "AttnGAN", "— without DAMSM's loss", "CLIP"]

    gancls, acgan, attngan, without, clip = (table[name] for name in order)
    assert attngan[heads["year"]] == "2018"
    assert attngan[heads["parameters"]] == "1.25\xa0M"
    assert attngan[heads["bundle"]] == "2.5\xa0MB"
    assert (attngan[heads["minutes"]], attngan[heads["before"]]) == ("20", "21")
    assert attngan[heads["attributes"]] == "**47.8\xa0%**", "the best of what reads captions"
    assert gancls[heads["attributes"]] == "37.5\xa0%"
    assert attngan[heads["FID"]] == "**50.0**", "the lowest"
    assert attngan[heads["diversity"]] == "1.25"
    assert attngan[heads["VS"]] == "–", "not measured"
    assert without[heads["attributes"]] == "18.0\xa0%"

    assert acgan[heads["main colour"]] == "**72.7\xa0%**"
    assert acgan[heads["attributes"]] == acgan[heads["R-precision"]] == "–"
    assert clip[heads["R-precision"]] == "95.0\xa0%", "of other pictures, so never the best"
    assert clip[heads["FID"]] == clip[heads["attributes"]] == "–"
    assert clip[heads["before"]] == "0"
    assert table["*the mean picture*"][heads["FID"]] == "166.0"


def test_each_row_has_its_pictures_and_its_command(tmp_path: Path) -> None:
    text = documents.document(rows.read(save(records(), tmp_path)))
    for name, record in records().items():
        assert record["command"] in text
        assert (f"(survey/rows/{name}.png)" in text) == (name != "clip")


def refused(record: Record, folder: Path) -> str:
    (folder / "x.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ScoreError) as error:
        rows.check(rows.read(folder))
    return str(error.value)


def test_rows_above_their_baselines_stand(tmp_path: Path) -> None:
    rows.check(rows.read(save(records(), tmp_path)))


@pytest.mark.parametrize(
    ("attributes", "fid", "why"),
    [
        (0.19, 50.0, "'mean picture'"),  # higher, but not beyond doubt
        (0.17, 50.0, "'captions shuffled'"),
        (0.4, 166.0, "FID"),
    ],
)
def test_a_row_below_a_baseline_is_refused(
    tmp_path: Path, attributes: float, fid: float, why: str
) -> None:
    said = refused(row("gancls", "Reed et al., ICML 2016", attributes, fid), tmp_path)
    assert said.startswith("gancls may not stand in the survey")
    assert why in said


def test_what_draws_classes_is_judged_by_its_classes(tmp_path: Path) -> None:
    record = row("acgan", "Odena et al., ICML 2017", 0.4, 60.0, condition="class")
    part = record["curve"][-1]["scores"]["attributes"]["parts"][0]
    part |= {"value": 0.14, "interval": [0.13, 0.15]}
    assert "main colours" in refused(record, tmp_path)


def test_what_finds_captions_must_beat_chance(tmp_path: Path) -> None:
    record = records()["clip"]
    record["curve"][-1]["scores"]["r-precision"] = scored(0.012, 0.005)
    assert "chance" in refused(record, tmp_path)


def test_a_row_without_baselines_is_refused(tmp_path: Path) -> None:
    assert "mean picture" in refused(records()["gancls"] | {"baselines": {}}, tmp_path)


def test_what_lacks_a_part_may_be_below_and_is_said_to_be(tmp_path: Path) -> None:
    found = rows.read(save(records(), tmp_path))
    rows.check(found)
    (said,) = [each for each in documents.document(found).splitlines() if "no more often" in each]
    assert said.startswith("AttnGAN without DAMSM's loss: ")


def test_other_eyes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = records()
    some["gancls"]["curve"][-1]["scores"]["fid"]["protocol"]["extractor"] = "another judge"
    rows.check(rows.read(save(some, tmp_path)))
    assert "fid of gancls was told by another judge" in capsys.readouterr().err


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the made-up rows."""
    folder = tmp_path_factory.mktemp("rows")
    path = folder / "survey.html"
    path.write_text(documents.page(rows.read(save(records(), folder))), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_page_is_whole_and_asks_for_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"(?:href|src)=\"(?!data:|#)", text)
    assert not re.search(r"url\((?!#)", text)
    assert text.count('src="data:image/webp;base64,') == 2 * 4, "a strip and a sheet of each"
    for tag in ("table", "tbody", "tr", "div", "section", "article", "svg", "span"):
        assert text.count(f"<{tag}") == text.count(f"</{tag}>"), tag
    for record in records().values():
        assert record["command"] in text


@pytest.mark.system
@pytest.mark.slow
def test_it_opens_sorts_and_fits_a_phone(page: Path) -> None:
    asked: list[str] = []
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 390, "height": 844})
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("console", lambda said: asked.append(said.text))
        opened.goto(page.as_uri())
        assert opened.evaluate("document.documentElement.scrollWidth") == 390
        assert titles(opened) == ["GAN-CLS", "AC-GAN", "AttnGAN", "CLIP"]
        head = opened.get_by_role("button", name="attributes")
        head.click()
        assert titles(opened) == ["AttnGAN", "GAN-CLS", "AC-GAN", "CLIP"], "dashes come last"
        head.click()
        assert titles(opened) == ["GAN-CLS", "AttnGAN", "AC-GAN", "CLIP"]
    assert [each for each in asked if not each.startswith(("data:", page.as_uri()))] == []


def titles(page: "Page") -> list[str]:
    return page.locator("tbody.system tr:first-child th").all_inner_texts()


def test_the_survey_of_the_repository_is_what_its_rows_say() -> None:
    found = rows.read()
    again = "run `python -m bench.survey`"
    assert documents.DOCUMENT.read_text(encoding="utf-8") == documents.document(found), again
    page = documents.PAGE.read_text(encoding="utf-8")
    assert len(page) < 4_000_000
    for each in found:
        assert each.record["command"] in page, again
    rows.check(found)
