"""The documents are a site: all links lead somewhere, and no page asks the network for anything."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from house.tree import ROOT

from t2i.models.catalog import CATALOG


class Resources(HTMLParser):
    """What a browser loads by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loads = given.get("href") if tag == "link" else given.get("src")
        if loads and given.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(loads)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    order = ["build", "--strict", "--quiet", f"--config-file={ROOT / 'mkdocs.yml'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *order, f"--site-dir={folder}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_system_has_a_page_with_its_facts(site: Path) -> None:
    for name, system in CATALOG.items():
        page = (site / "systems" / f"{name}.html").read_text(encoding="utf-8")
        assert f"<title>{system.title} - t2i</title>" in page
        assert "code licence" in page
        assert "```" not in page


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(CATALOG)
    for page in pages:
        seen = Resources()
        seen.feed(page.read_text(encoding="utf-8"))
        assert seen.found, page
        asked = [each for each in seen.found if not each.startswith("data:")]
        assert not [each for each in asked if "//" in each], page
