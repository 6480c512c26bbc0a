"""What `t2i-run --serve` does."""

from contextlib import suppress

from t2i.runtime import terminal
from t2i.runtime.draw import load
from t2i.runtime.errors import UsageError
from t2i.runtime.serving import Server


def serve(
    model: str,
    port: int | None,
    draws: bool,
    *,
    device: str,
    threads: int | None,
    low_memory: bool,
    nearest_class: bool,
) -> None:
    """Draw for a page in the browser, until ctrl-C.

    Args:
        draws: captions were given too.

    Raises:
        UsageError: there is something else to do.
        BundleError: the bundle draws no captions.
        DeviceError: the port, or the device, cannot be used.
    """
    if draws:
        raise UsageError("--serve takes its captions from a page", hint="leave out captions")
    painter = load(
        model, device=device, threads=threads, low_memory=low_memory, nearest_class=nearest_class
    )
    with Server(painter, port or 0) as server:
        terminal.say(f"{painter.manifest.name} · {painter.device}")
        terminal.report(f"open {server.address} in a browser; ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
