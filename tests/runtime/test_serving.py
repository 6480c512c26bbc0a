"""The page that draws on this machine: for its own page only, and never without bounds."""

import base64
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from bundles import PX
from commands import differ
from typer.testing import CliRunner

from t2i.runtime import serving
from t2i.runtime.cli.run import app
from t2i.runtime.draw import Painter
from t2i.runtime.errors import DeviceError
from t2i.runtime.serving import Server


@pytest.fixture(scope="module")
def server(painter: Painter) -> Iterator[Server]:
    with Server(painter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(
    server: Server, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, named)
    response = connection.getresponse()
    found = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return found


def ordered(server: Server, order: object, **headers: str) -> tuple[int, Any]:
    body = order if isinstance(order, bytes) else json.dumps(order).encode()
    headers = {"Content_Type": "application/json", "Origin": server.address, **headers}
    status, _, data = asked(server, "POST", "/draw", body, **headers)
    return status, json.loads(data)


def test_it_draws_what_the_painter_draws(server: Server, painter: Painter) -> None:
    status, answer = ordered(server, {"caption": "a red zebra", "seed": 7})
    assert status == 200
    pixels = np.frombuffer(base64.b64decode(answer["rgb"]), np.uint8).reshape(PX, PX, 3)
    assert differ(pixels, painter.draw(["a red"], seed=7)[0]) <= 1
    assert (answer["words"], answer["unknown"]) == (["a", "red"], ["zebra"])
    maps = [np.frombuffer(base64.b64decode(each), np.uint8) for each in answer["maps"]]
    assert [len(each) for each in maps] == [answer["side"] ** 2] * 2
    assert max(each.max() for each in maps) == 255


@pytest.mark.parametrize("path", list(serving.FILES))
def test_the_page_is_handed_out_and_may_load_nothing_foreign(server: Server, path: str) -> None:
    status, headers, data = asked(server, "GET", path)
    assert status == 200
    assert data
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.parametrize(
    "path", ["/manifest.json", "/../draw.py", "/page/index.html", "//etc/passwd", "/page.mjs?x"]
)
def test_other_paths_are_refused(server: Server, path: str) -> None:
    assert asked(server, "GET", path)[0] == 404
    assert asked(server, "POST", path, b"{}")[0] == 404


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1"])
def test_pages_of_other_origins_are_refused(server: Server, origin: str) -> None:
    assert ordered(server, {"caption": "a red bird", "seed": 0}, Origin=origin)[0] == 403
    assert asked(server, "GET", "/about", Origin=origin)[0] == 403


@pytest.mark.parametrize("host", ["example.org", "localhost", "127.0.0.1", ""])
def test_names_of_other_hosts_that_lead_here_are_refused(server: Server, host: str) -> None:
    assert asked(server, "GET", "/", Host=host)[0] == 403
    assert ordered(server, {"caption": "a red bird", "seed": 0}, Host=host)[0] == 403


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"caption": "zyzzyva", "seed": 0}, "no word"),
        ({"caption": "a red bird", "seed": -1}, "out of range"),
        ({"caption": "a red bird", "seed": 2**38}, "out of range"),
        ({"caption": "a red bird", "seed": True}, "no order"),
        ({"caption": 7, "seed": 0}, "no order"),
        ({"caption": "a red bird", "seed": 0, "more": 1}, "no order"),
        ([], "no order"),
        (b"{", "no order"),
        (b"\xff", "no order"),
    ],
)
def test_what_cannot_be_drawn_says_why(server: Server, order: object, said: str) -> None:
    status, answer = ordered(server, order)
    assert status == 422
    assert said in answer["error"]
    assert answer["hint"]


def test_orders_of_another_type_or_size_are_refused(server: Server) -> None:
    order = {"caption": "a red bird", "seed": 0}
    assert ordered(server, order, Content_Type="text/plain")[0] == 415
    assert ordered(server, order, Content_Length="-1")[0] == 413
    assert ordered(server, order, Content_Length=str(2**40))[0] == 413
    assert ordered(server, order, Content_Length="9" * 5000)[0] == 413


def test_it_listens_on_the_loopback_alone(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_those_who_wait_are_bounded_and_make_room_again(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "WAITING", 2)
    with Server(painter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        silent = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as third:
            assert third.recv(1) == b""  # hung up on
        for each in silent:
            each.close()
        for _ in range(100):
            try:
                assert asked(server, "GET", "/about")[0] == 200
                break
            except ConnectionError:
                threading.Event().wait(0.05)
        else:
            pytest.fail("there was no room again")
        server.shutdown()
        thread.join()


def test_a_port_that_is_taken_is_named(server: Server, painter: Painter) -> None:
    with pytest.raises(DeviceError, match=f"port {server.server_port}"):
        Server(painter, server.server_port)


def test_captions_beside_the_page_are_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["a red bird", "--serve"])
    assert done.exit_code == 2
    assert "leave out captions" in done.stderr
