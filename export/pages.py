"""What people read and look at in a bundle: its card and its preview."""

import io
import re
import tomllib
from pathlib import Path
from typing import Any

from PIL import Image

from t2i.runtime import bundle, pictures
from t2i.runtime.draw import Painter
from t2i.runtime.errors import TextError

CARDS = Path(__file__).resolve().parents[1] / "models" / "cards"
CAPTIONS = (
    "a red bird",
    "a small yellow bird with black wings",
    "a blue bird with a white belly on the water",
    "a green bird on the grass",
)
_FRONT = re.compile(r"\A```toml\n(.*?)```\n", re.DOTALL)


def facts(system: str) -> dict[str, Any]:
    """The data that opens a card."""
    text = (CARDS / f"{system}.md").read_text(encoding="utf-8")
    match = _FRONT.match(text)
    assert match, f"the card of {system} opens with no data"
    return tomllib.loads(match[1])


def preview(draft: Path, manifest: bundle.Manifest) -> bytes | None:
    """Four captions drawn by the bundle itself, as a PNG; None where nothing is drawn."""
    if manifest.pipeline != "gan":
        return None
    painter = Painter(bundle.Bundle.load(draft), device="cpu")
    try:
        drawn = painter.draw(_captions(painter))
    except TextError:  # it knows none of these words
        return None
    sheet = pictures.grid(drawn, columns=len(drawn))
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _captions(painter: Painter) -> list[str]:
    """Captions that the bundle understands: ours, else its own first words."""
    try:
        for caption in CAPTIONS:
            painter.read(caption)
    except TextError:
        return sorted(painter.vocabulary)[: len(CAPTIONS)]
    return list(CAPTIONS)


def card(manifest: bundle.Manifest) -> str:
    """How this bundle came about, then the system's card."""
    training, cost, check = manifest.training, manifest.cost, manifest.check
    assert training is not None
    assert cost is not None
    origin = f"{manifest.system}, preset `{training.preset}`, trained on {training.data}"
    batches = ", ".join(map(str, check.batches))
    lines = [
        f"# {manifest.name}",
        "",
        f"{origin}: {training.images_seen:,} pictures seen.",
        "",
        "| what | value |",
        "|---|---|",
        f"| parameters | {cost.parameters:,} |",
        f"| size | {cost.bytes / 1e6:.1f} MB ({manifest.precision}) |",
        f"| one picture | {cost.cpu_ms:.0f} ms, {cost.peak_mb:.0f} MB at most ({cost.machine}) |",
        f"| differs from PyTorch {check.torch} | by {check.worst:.1e}, batches of {batches} |",
        "",
    ]
    if training.data == "birds":
        lines += ["It draws drawings: the pictures it learnt from were drawn by a program.", ""]
    text = (CARDS / f"{manifest.system}.md").read_text(encoding="utf-8")
    return "\n".join(lines) + "\n" + _FRONT.sub("", text).lstrip()
