"""The baseline that any system must beat: one picture for all captions, the mean of the rendered.

It stands in every row of the survey, so it is scored by the same code as a system's pictures.
"""

from pathlib import Path
from typing import Any

import numpy as np

from t2i.runtime import runs
from t2i.runtime.captions import read_captions
from t2i.runtime.records import decode, encode
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.metrics import METRICS
from t2i.runtime.score.references import CAPTIONS, rendered
from t2i.runtime.score.sets import SetMetric, Setting, Work, run
from t2i.runtime.score.sources import Caption, Given
from t2i.train import data

SHOWN = 2000
"""Pictures of which the mean is taken."""
JUDGE = "birds-features"
SCORED = ("attributes", "fid")


def scores(trained: Path) -> dict[str, Any]:
    """Attributes and FID of the mean of the pictures that a run was trained on."""
    lines = read_captions(str(CAPTIONS))
    captions = [Caption(line.caption, line.facts, f"line {line.number}") for line in lines]
    source = Given([picture(trained)] * len(captions), captions, name="mean picture")
    works = []
    for name in SCORED:
        metric = METRICS[name]
        assert isinstance(metric, SetMetric)
        setting = Setting(Extractor.load(JUDGE), source, rendered=rendered())
        works.append(Work.begin(name, metric, setting))
    return {result.metric: encode(result) for result in run(works, batch_size=64)}


def picture(trained: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H, W, 3)"""
    settings = decode(data.Settings, runs.read_recipe(trained / runs.RECIPE).settings["data"])
    birds = data.open(settings)
    shown = [birds.item(index, index).images[-1] for index in range(min(SHOWN, len(birds)))]
    mean = sum(shown[1:], start=shown[0]) / len(shown)
    return ((mean.permute(1, 2, 0).numpy() + 1) * 127.5 + 0.5).astype(np.uint8)
