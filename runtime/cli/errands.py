"""What `t2i-run` does beside drawing captions."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Errand:
    """What was asked for; nothing unless said."""

    show_bundles: bool = False
    selftest: bool = False
    describe: Path | None = None
    beams: int | None = None
    serve: bool = False
    port: int | None = None


@dataclass(frozen=True)
class Tools:
    """With which bundle, and how it runs."""

    model: str
    device: str
    threads: int | None
    low_memory: bool
    nearest_class: bool


def do(errand: Errand, tools: Tools, *, draws: bool, as_json: bool) -> None:
    """
    Args:
        draws: captions were given too.
    """
    # Imported when it is known what is needed.
    if errand.show_bundles:
        from t2i.runtime.cli import bundles

        bundles.show(as_json=as_json)
    elif errand.selftest:
        from t2i.runtime.cli import bundles

        bundles.test(tools.model, device=tools.device, threads=tools.threads, as_json=as_json)
    elif errand.serve or errand.port is not None:
        from t2i.runtime.cli.serving import serve

        serve(tools, errand.port, draws=draws)
    else:
        from t2i.runtime.cli.describing import tell

        machine, threads = tools.device, tools.threads
        picture, beams = errand.describe, errand.beams
        tell(picture, tools.model, draws, beams, device=machine, threads=threads, as_json=as_json)
