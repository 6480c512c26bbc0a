"""What `t2i-run --serve` does."""

from contextlib import suppress

from t2i.runtime import terminal
from t2i.runtime.cli.errands import Tools
from t2i.runtime.draw import load
from t2i.runtime.errors import UsageError
from t2i.runtime.serving import Server


def serve(tools: Tools, port: int | None, *, draws: bool) -> None:
    """Draw for a page in the browser, until ctrl-C.

    Args:
        port: None for any that is free.
        draws: captions were given too.

    Raises:
        UsageError: there is something else to do.
        BundleError: the bundle draws no captions.
        DeviceError: the port, or the device, cannot be used.
    """
    if draws:
        raise UsageError("--serve takes its captions from a page", hint="leave out captions")
    painter = load(
        tools.model,
        device=tools.device,
        threads=tools.threads,
        low_memory=tools.low_memory,
        nearest_class=tools.nearest_class,
    )
    with Server(painter, port or 0) as server:
        terminal.say(f"{painter.manifest.name} · {painter.device}")
        terminal.report(f"open {server.address} in a browser; ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
