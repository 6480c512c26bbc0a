"""Cards open with data that a program reads, and it agrees with the catalog and the recipes."""

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from t2i import models
from t2i.models.catalog import CATALOG

CARDS = Path(models.__file__).parent / "cards"
OPENING = re.compile(r"\A```toml\n(.*?)^```\n\n# (.+?)\n", re.MULTILINE | re.DOTALL)
KEYS = {
    *("title", "source", "paper", "code", "code_licence", "licence"),
    *("needs", "presets", "published"),
}


def opening(name: str) -> tuple[dict[str, Any], str]:
    """The data a card opens with, and its heading."""
    found = OPENING.match((CARDS / f"{name}.md").read_text(encoding="utf-8"))
    assert found
    return tomllib.loads(found[1]), found[2]


@pytest.mark.parametrize("name", CATALOG)
def test_a_card_says_what_the_catalog_says(name: str) -> None:
    data, heading = opening(name)
    assert set(data) == KEYS
    assert (data["title"], data["source"]) == (CATALOG[name].title, CATALOG[name].source)
    assert heading == data["title"]
    assert data["paper"].startswith("https://")


@pytest.mark.parametrize("name", CATALOG)
def test_a_card_lists_the_presets_and_needs_of_its_recipe(name: str) -> None:
    data, _ = opening(name)
    recipe = import_module(f"t2i.train.recipes.{name}")
    assert data["presets"] == list(recipe.PRESETS)
    assert data["needs"] == list(recipe.NEEDS)


@pytest.mark.parametrize("name", CATALOG)
def test_a_published_number_names_its_data_metric_and_source(name: str) -> None:
    for score in opening(name)[0]["published"]:
        assert {"data", "metric", "value", "source"} <= set(score)
        assert isinstance(score["value"], float)
