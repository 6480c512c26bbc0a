"""Options that commands share."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or tensorrt.")]
Threads = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Of the processor; all by default.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse words that would be cut.")]
