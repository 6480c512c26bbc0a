"""What people read and look at in a bundle: its card and its preview."""

import io
import re
import tomllib
from pathlib import Path
from typing import Any

from PIL import Image

from t2i import models
from t2i.runtime import pictures
from t2i.runtime.bundle import Bundle, Manifest, Score
from t2i.runtime.draw import Painter
from t2i.runtime.errors import TextError
from t2i.runtime.runs import Recipe
from t2i.runtime.text import Tokenizer

CARDS = Path(models.__file__).parent / "cards"
CAPTIONS = (
    "a red bird",
    "a small yellow bird with black wings",
    "a blue bird with a white belly",
    "a green bird with a long tail",
)
PREVIEW_PX = 128

_OPENING = re.compile(r"\A```toml\n(?P<data>.*?)^```\n\n# (?P<title>[^\n]+)\n", re.M | re.S)
_LOCAL_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")
_LOCAL_IMAGE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]+\)\n\n", re.M)


def facts(system: str) -> dict[str, Any]:
    """The data that open a system's card."""
    return tomllib.loads(_opened(system)[0]["data"])


def captions(bundle: Bundle) -> list[str]:
    """Captions to show a bundle by: ours, else words of its own; none where it draws nothing."""
    text = bundle.manifest.text
    if not bundle.manifest.draws or text is None:
        return []
    tokenizer = Tokenizer.from_json(bundle.read(text.tokenizer), text)
    known = [each for each in CAPTIONS if is_known(tokenizer, each)]
    return known or list(tokenizer.vocabulary)[: len(CAPTIONS)]


def is_known(tokenizer: Tokenizer, caption: str) -> bool:
    """Whether it reads all of a caption."""
    try:
        return not tokenizer.read(caption).unknown
    except TextError:
        return False


def preview(bundle: Bundle) -> bytes | None:
    """A row of small pictures drawn by the bundle itself, as a PNG."""
    wanted = captions(bundle)
    if not wanted:
        return None
    row = pictures.grid(Painter(bundle, device="cpu").draw(wanted), columns=len(wanted))
    shrink = min(1.0, PREVIEW_PX / bundle.manifest.image_px)
    size = (round(row.shape[1] * shrink), round(row.shape[0] * shrink))
    data = io.BytesIO()
    Image.fromarray(row).resize(size, Image.Resampling.LANCZOS).save(data, "PNG", optimize=True)
    return data.getvalue()


def card(manifest: Manifest, recipe: Recipe) -> str:
    """The system's card, opened by how this bundle came about."""
    opening, rest = _opened(manifest.system)
    # Its neighbours in the repository do not travel with it.
    prose = _LOCAL_LINK.sub(r"\1", _LOCAL_IMAGE.sub("", rest))
    return f"# {opening['title']}\n\n{_about(manifest, recipe)}{prose}"


def _about(manifest: Manifest, recipe: Recipe) -> str:
    training, cost, check = manifest.training, manifest.cost, manifest.check
    assert training is not None
    assert cost is not None
    needs = {
        f"needs `{name}`": f"{need.origin}, SHA-256 {need.sha256[:12]}…"
        for name, need in training.needs.items()
    }
    rows = {
        "trained": f"preset `{training.preset}`, {training.images_seen:,} pictures seen",
        "data": training.data,
        **needs,
        "weights": f"SHA-256 {training.checkpoint}",
        "size": f"{cost.parameters:,} parameters, {cost.bytes / 1e6:.1f} MB, {manifest.precision}",
        "one picture": f"{cost.cpu_ms:.0f} ms, {cost.peak_mb:.0f} MB at most ({cost.machine})",
        "from PyTorch": f"at most {check.worst:.1e} in [-1, 1], {check.tolerance:.1e} is allowed "
        f"(PyTorch {check.torch}, batches of {', '.join(map(str, check.batches))})",
    }
    rows |= {score.metric: _told(score) for score in manifest.scores}
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    text = f"## This bundle: {manifest.name}\n\n| | |\n|---|---|\n{table}\n"
    if recipe.data.get("kind") == "birds":
        knows = "draws" if manifest.draws or manifest.pipeline == "latent" else "reads"
        text += f"\nIt {knows} drawings: the pictures it learnt from were drawn by a program.\n"
    return text


def _told(score: Score) -> str:
    """A number, its confidence, and what it rests on; the rest is in the manifest."""
    between = "" if score.interval is None else " ({:.3f} … {:.3f})".format(*score.interval)
    protocol = score.protocol
    return f"{score.value:.3f}{between}, {protocol['pictures']:,} pictures, {protocol['extractor']}"


def _opened(system: str) -> tuple[re.Match[str], str]:
    """The opening of a card, and what follows it."""
    text = (CARDS / f"{system}.md").read_text(encoding="utf-8")
    opening = _OPENING.match(text)
    assert opening, f"the card of {system} does not open with data"
    return opening, text[opening.end() :]
