"""What `t2i-run --serve` does."""

from contextlib import suppress
from typing import NamedTuple

from t2i.runtime import terminal
from t2i.runtime.draw import load
from t2i.runtime.errors import UsageError


class Setup(NamedTuple):
    """How a bundle is to draw."""

    device: str
    threads: int | None
    low_memory: bool
    nearest_class: bool


def serve(model: str, port: int | None, setup: Setup, *, given: bool) -> None:
    """Draw for a page in the browser, until ctrl-C.

    Args:
        given: captions were given too.

    Raises:
        UsageError: there is something else to do.
        BundleError: the bundle draws no captions.
        DeviceError: the port, or the device, cannot be used.
    """
    from t2i.runtime.serving import Server  # what draws one picture need not wait for it

    if given:
        raise UsageError("--serve takes its captions from a page", hint="leave out captions")
    painter = load(model, **setup._asdict())
    with Server(painter, port or 0) as server:
        terminal.say(f"{painter.manifest.name} · {painter.device}")
        terminal.report(f"open {server.address} in a browser; ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
