"""How well a bundle of CI-GAN finds held-out birds again, and what changes when it edits them.

    python -m bench.manipulation cigan-birds             # 100 birds, 60 steps each
    python -m bench.manipulation cigan-birds --birds 500 --strength 0.5

Birds are those of the edits that ship with `t2i-score edit`, as the renderer draws them: no
training shows their colours together. Each is told as a latent and drawn again, which PSNR
compares, and then edited by a caption that says another colour of one part. The renderer knows
where that part is; its masks of the bird before and after, a little grown, tell inside from
outside. Changes are counted from what the latent drew before, so that what the inversion misses is
not counted twice.

`t2i-score edit` asks the same of captions drawn before and after; there, no picture is given, and
the parts have to be looked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from bench.references import SERIES, drawing
from t2i.runtime import terminal
from t2i.runtime.draw import load
from t2i.runtime.editor import STEPS, STRENGTH, Editor
from t2i.runtime.pictures import Pixels, fitted
from t2i.runtime.score.attributes import READ_AS
from t2i.runtime.score.edits import Edit, read_edits
from t2i.runtime.score.features import Extractor
from t2i.runtime.score.locality import grown, split
from t2i.runtime.score.similarity import psnr
from t2i.train.data.birds.render import PARTS

JUDGE = "birds-features"


@dataclass(frozen=True)
class Bird:
    """A bird of the renderer, before and after an edit."""

    edit: Edit
    before: Pixels
    after: Pixels
    """(px, px, 3)."""
    may: npt.NDArray[np.bool_]
    """(H, W): where the edited parts are in either."""


def birds(number: int, px: int) -> Iterator[Bird]:
    """The first of the edits that ship, at this size."""
    for index, edit in enumerate(read_edits()[:number]):
        before, after = (
            drawing({**edit.facts, edit.attribute: value}, SERIES.noise(index))
            for value in (edit.was, edit.value)
        )
        numbers = [PARTS.index(part) for part in edit.parts]
        may = np.logical_or(*(np.isin(each.parts, numbers) for each in (before, after)))
        yield Bird(edit, fitted(before.pixels, px), fitted(after.pixels, px), grown(may))


@dataclass
class Findings:
    """What was found in all birds so far."""

    judge: Extractor
    near: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)
    took: list[bool] = field(default_factory=list)

    def add(self, bird: Bird, inversion: Pixels, result: Pixels) -> None:
        """One bird as its latent draws it, and what became of that."""
        self.near.append(psnr(bird.before, inversion))
        _, outside, inside = split(inversion, result, bird.may)
        self.inside.append(inside)
        self.outside.append(outside)
        self.took.append(self.read(bird.edit.attribute, result) == bird.edit.value)

    def read(self, said: str, picture: Pixels) -> str:
        """The value of an attribute that the judge sees."""
        name = READ_AS.get(said, said)
        logits = self.judge.look_at_chunk([picture], ["attributes"], 1)["attributes"][0]
        place = int(logits[self.judge.attribute(name)].argmax())
        return self.judge.manifest.attributes[name][place]

    def table(self) -> list[tuple[str, str]]:
        inside, outside = np.array(self.inside), np.array(self.outside)
        return [
            ("inversion, PSNR", f"{np.mean(self.near):.2f} dB"),
            ("change in the part", f"{100 * inside.mean():.2f} % of all levels"),
            ("change elsewhere", f"{100 * outside.mean():.2f} % of all levels"),
            ("the part changes more", f"{100 * (inside > outside).mean():.1f} % of the birds"),
            ("new colour seen", f"{100 * np.mean(self.took):.1f} % of the birds"),
        ]


def edited(editor: Editor, bird: Bird, steps: int, strength: float) -> tuple[Pixels, Pixels]:
    """How its latent draws a bird, and what becomes of that; both facing as the bird does."""
    told = editor.tell(bird.before)
    wish = editor.wish(editor.painter.read(bird.edit.after))
    *_, moved = editor.move(told, wish, strength=strength, steps=steps)
    (inversion,) = editor.draw(told.latent[None])
    return told.shown(inversion), told.shown(moved.picture)


def main(
    model: Annotated[str, typer.Argument(help="Name or path of a bundle of CI-GAN.")],
    number: Annotated[int, typer.Option("--birds", min=1, max=500, help="How many.")] = 100,
    steps: Annotated[int, typer.Option(min=0, help="Of each edit.")] = STEPS,
    strength: Annotated[float, typer.Option(min=0, max=1, help="Of the caption.")] = STRENGTH,
) -> None:
    """Measure inversions and edits."""
    editor = Editor(load(model, device="cpu", threads=1))
    findings = Findings(Extractor.load(JUDGE, device="cpu", threads=1))
    with terminal.progress("editing birds", number) as bar:
        for bird in birds(number, editor.manifest.image_px):
            findings.add(bird, *edited(editor, bird, steps, strength))
            bar.advance()
    name, sha256 = editor.manifest.name, editor.painter.bundle.sha256
    terminal.report(
        f"{name} {sha256[:12]}…: {number} held-out birds, {steps} steps at strength {strength:g}"
    )
    terminal.table(("measure", "mean"), findings.table())


if __name__ == "__main__":
    typer.run(main)
