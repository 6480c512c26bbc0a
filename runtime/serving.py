"""The page, with this machine drawing: for the person who sits at it, and nobody else.

It listens on the loopback alone. Any page that this person visits could ask it too, so it answers
only requests for its own address that come from its own page. What is asked has a bounded size, and
so has the number of those who wait.
"""

import base64
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import t2i
from t2i.runtime.draw import Painter
from t2i.runtime.errors import DeviceError, T2IError, UsageError
from t2i.runtime.records import RecordError, decode, loads

LOOPBACK = "127.0.0.1"
REQUEST_BYTES = 2**16
LENGTH = re.compile("[0-9]{1,9}")
WAITING = 16
"""Requests that are being answered or wait for it; more are refused."""
PATIENCE_SECONDS = 10.0
"""How long a request may take to arrive."""

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.mjs": ("page.mjs", "text/javascript; charset=utf-8"),
    "/painter.mjs": ("painter.mjs", "text/javascript; charset=utf-8"),
}
JSON = "application/json"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Order:
    """What the page asks for."""

    caption: str
    seed: int


@dataclass
class Studio:
    """A painter whom one request at a time may use."""

    painter: Painter
    turn: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, asked: bytes) -> dict[str, Any]:
        """The picture that an order in JSON is for, as `page/painter.mjs` reads it.

        Raises:
            T2IError: it is no order, or nothing in the caption can be drawn.
        """
        try:
            order = decode(Order, loads(asked))
        except RecordError as error:
            raise UsageError(f"this is no order: {error}", hint="ask from the page") from error
        painter = self.painter
        attentions = [name for name in painter.outputs if name.startswith("attention")][-1:]
        with self.turn:
            reading = painter.read(order.caption)
            drawn = painter.paint([reading], seeds=[order.seed], outputs=["image", *attentions])
        (picture,) = drawn.pictures
        height, width, _ = picture.shape
        answer = {"width": width, "height": height, "rgb": _encoded(picture)}
        answer |= {"unknown": reading.unknown, "words": reading.words, "maps": [], "side": 0}
        for name in attentions:
            weights = drawn.attentions[name][0, : len(reading.words)]
            levels = np.rint(weights * (255 / max(float(weights.max(initial=0.0)), 1e-12)))
            answer |= {"maps": [_encoded(each) for each in levels], "side": weights.shape[-1]}
        return answer


def _encoded(levels: npt.NDArray[Any]) -> str:
    return base64.b64encode(levels.astype(np.uint8).tobytes()).decode()


class Server(ThreadingHTTPServer):
    """Hands out the page and draws for it."""

    daemon_threads = True

    def __init__(self, painter: Painter, port: int = 0) -> None:
        self.studio = Studio(painter)
        self._places = threading.BoundedSemaphore(WAITING)
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as error:
            raise DeviceError(
                f"port {port} cannot be used: {error.strerror}",
                hint="choose another --port, or leave it out for any that is free",
            ) from error

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            request.close()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    server_version = f"t2i/{t2i.__version__}"
    sys_version = ""
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        if not self._is_welcome():
            return
        if self.path in FILES:
            name, kind = FILES[self.path]
            self._answer(HTTPStatus.OK, kind, (PAGE / name).read_bytes())
        elif self.path == "/about":
            self._tell(HTTPStatus.OK, {"name": self.server.studio.painter.manifest.name})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here", "open the page itself")

    def do_POST(self) -> None:
        if not self._is_welcome():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/draw":
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here", "open the page itself")
        elif self.headers.get("Content-Type") != JSON:
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "no JSON", "ask from the page itself")
        elif not (LENGTH.fullmatch(length) and int(length) <= REQUEST_BYTES):
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long", "shorten the caption")
        else:
            self._draw(self.rfile.read(int(length)))

    def _draw(self, asked: bytes) -> None:
        try:
            answer = self.server.studio.draw(asked)
        except T2IError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), error.hint)
        else:
            self._tell(HTTPStatus.OK, answer)

    def _is_welcome(self) -> bool:
        """Whether the page of this server asks: names of other hosts may lead here too."""
        own = self.server.address
        origin = self.headers.get("Origin")
        if self.headers.get_all("Host") == [own.removeprefix("http://")] and origin in (None, own):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "this is for the page of this machine", f"open {own}")
        return False

    def _refuse(self, status: HTTPStatus, error: str, hint: str) -> None:
        self._tell(status, {"error": error, "hint": hint})

    def _tell(self, status: HTTPStatus, record: dict[str, Any]) -> None:
        self._answer(status, JSON, json.dumps(record).encode())

    def _answer(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no results."""
