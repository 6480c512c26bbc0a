"""The page in a real browser draws what Python draws, with a network and without."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import chromium
from commands import differ
from house.tree import ROOT

from t2i.runtime.draw import load
from t2i.runtime.serving import Server

pytestmark = [pytest.mark.system, pytest.mark.slow]

WEB = ROOT / "examples" / "web"
LEVELS = 2
CAPTION = "A small RED bird, with blue wings!"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """The address of a server while it answers."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of its own, which must not complain."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not said


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Builds the page for a single file, as its README says."""
    root = tmp_path_factory.mktemp("sites")

    def build(model: Path) -> Path:
        folder = root / model.stem
        command = ["node", WEB / "build.mjs", model, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return folder

    return build


def static(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))


def levels(page: Any, canvas: str) -> np.ndarray:
    """What a canvas holds, (H, W, 4)."""
    values, width = page.evaluate(
        """(id) => {
            const canvas = document.getElementById(id);
            const whole = [0, 0, canvas.width, canvas.height];
            return [Array.from(canvas.getContext("2d").getImageData(...whole).data), canvas.width];
        }""",
        canvas,
    )
    return np.array(values, np.uint8).reshape(-1, width, 4)


def drawn(page: Any, caption: str, seed: int) -> np.ndarray:
    """The pixels on the page, once it has drawn; its parts are found as a screen reader does."""
    page.get_by_label("Caption", exact=True).fill(caption)
    page.get_by_label("Seed").fill(str(seed))
    page.get_by_label("Seed").press("Enter")
    page.get_by_role("status").filter(has_text=f"from seed {seed}").wait_for()
    assert page.get_by_role("img", name=caption).is_visible()
    return levels(page, "picture")[..., :3]


def shaded(page: Any) -> int:
    """How many regions are hidden at least by half."""
    return int((levels(page, "shade")[..., 3] > 127).sum())


def ready(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_role("status").filter(has_text="Ready").wait_for()


def test_the_browser_draws_the_bundle_that_ships(
    page: Any, site: Callable[[Path], Path], birds: Path
) -> None:
    with running(static(site(birds))) as address:
        ready(page, address)
        found = drawn(page, CAPTION, 7)
    wanted = load("birds", device="cpu", threads=1).draw([CAPTION], seed=7)[0]
    assert differ(found, wanted) <= LEVELS


def test_the_browser_draws_without_a_network_once_it_was_there(
    page: Any, site: Callable[[Path], Path], tiny: Path
) -> None:
    wanted = load(tiny, device="cpu", threads=1).draw([CAPTION] * 2, seed=2**38 - 2)
    server = static(site(tiny.with_suffix(".onnx")))
    with running(server) as address:
        ready(page, address)
        assert differ(drawn(page, CAPTION, 2**38 - 2), wanted[0]) <= LEVELS
    page.reload()  # nobody answers any more
    page.get_by_role("status").filter(has_text="Ready").wait_for()
    assert differ(drawn(page, CAPTION, 2**38 - 1), wanted[1]) <= LEVELS


@pytest.fixture(params=["static", "serve"])
def address(
    request: pytest.FixtureRequest, site: Callable[[Path], Path], tiny: Path
) -> Iterator[str]:
    """The page, drawing in the browser or in Python."""
    server: ThreadingHTTPServer
    if request.param == "static":
        server = static(site(tiny.with_suffix(".onnx")))
    else:
        server = Server(load(tiny, device="cpu", threads=1))
    with running(server) as found:
        yield found


def test_words_show_where_they_were_looked_at(page: Any, address: str, tiny: Path) -> None:
    ready(page, address)
    wanted = load(tiny, device="cpu", threads=1).draw(["a red zebra bird"], seed=3)[0]
    assert differ(drawn(page, "a red zebra bird", 3), wanted) <= LEVELS
    assert "without" in page.get_by_role("status").inner_text()
    words = page.get_by_role("list", name="Words of the caption").get_by_role("button")
    assert words.all_inner_texts() == ["a", "red", "bird"]
    assert shaded(page) == 0
    words.nth(1).hover()
    assert shaded(page) > 0
    page.get_by_role("heading").hover()
    assert shaded(page) == 0
    page.get_by_role("button", name="Another").focus()
    page.keyboard.press("Tab")  # by keyboard alone
    assert shaded(page) > 0


def test_what_cannot_be_drawn_is_told_and_the_page_goes_on(page: Any, address: str) -> None:
    ready(page, address)
    page.get_by_label("Caption", exact=True).fill("zyzzyva")
    page.get_by_role("button", name="Draw").click()
    page.get_by_role("status").filter(has_text="No word").or_(
        page.get_by_role("status").filter(has_text="no word")
    ).wait_for()
    assert drawn(page, "a red bird", 1).any()
    page.get_by_role("button", name="Another").click()
    page.get_by_role("status").filter(has_text="from seed 2").wait_for()
