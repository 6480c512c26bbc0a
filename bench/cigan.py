"""CI-GAN at the paper's size, one picture of 256 px: drawing in PyTorch and ours, and an edit.

    python -m bench.cigan                 # one thread, batch of 1
    python -m bench.cigan --rounds 31     # on a noisy machine
    python -m bench.cigan --only edit     # or drawing

A step of an edit goes through the generator and through VGG-16, which compares pictures, and back;
it stands beside a pass, which goes through both once and nowhere back.

Weights are random: only speed is measured. All that is compared runs in turn, round by round, so
that a machine that slows down slows all alike; ratios are of medians. PyTorch works twice: as we
do, and with weights of its own for each picture, as StyleGAN2's official code does.
"""

from dataclasses import replace
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from bench.attngan import Way, graphs, interleaved
from bench.clip import compare
from t2i.export import editing
from t2i.export import stylegan2 as latents
from t2i.export.check import expected
from t2i.export.cigan import Drawing
from t2i.export.plan import Captions, Plan, Tensors, picture
from t2i.export.trained import Trained
from t2i.models import cigan, stylegan2
from t2i.runtime import terminal
from t2i.runtime.bundle import Tensor as TensorOf
from t2i.runtime.editor import STEPS

SIZES = cigan.Settings(vocabulary=5452)
GIVEN = {"noise": SIZES.style_size, "grain": SIZES.grain_size, "sentence": SIZES.style_size}


def examples(batch: int, kind: Captions) -> Tensors:
    dice = torch.Generator().manual_seed(batch)
    return {name: torch.randn(batch, size, generator=dice) for name, size in GIVEN.items()}


def plan_of(*, grouped: bool) -> Plan:
    """The generator, with the same weights either way."""
    torch.manual_seed(0)
    generator = stylegan2.Generator(replace(SIZES, grouped=grouped)).eval()
    return Plan(
        "generator",
        Drawing(generator.requires_grad_(requires_grad=False), SIZES.pull, facing=None),
        inputs=tuple(TensorOf(name, "float32", ("B", size)) for name, size in GIVEN.items()),
        outputs=(picture(SIZES.image_px),),
        examples=examples,
        rewrite=latents.ungrouped,
    )


def eager(plan: Plan) -> Way:
    def draw(batch: int) -> None:
        with torch.inference_mode():
            expected(plan, plan.examples(batch, "full"))

    return draw


class Pass(nn.Module):
    """A latent to its picture and to what is seen in that: G and F, without a gradient."""

    def __init__(self, step: editing.Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, latent: Tensor) -> tuple[Tensor, ...]:
        image = self.step.draw(latent)
        assert self.step.eye
        return (image, *self.step.eye(image))


def compare_steps(rounds: int) -> None:
    """A step of an edit beside a pass of the networks it goes through."""
    torch.manual_seed(0)
    sizes = replace(SIZES, eye="vgg")
    found = cigan.networks(sizes)
    for network in found.values():
        network.eval().requires_grad_(requires_grad=False)
    run: Any = None
    trained = Trained(run, sizes, found, b"")
    _, step = editing.both_plans(trained, lambda batch, kind: examples(batch, kind)["sentence"])
    assert isinstance(step.module, editing.Step)
    (latent,) = (each for each in step.inputs if each.name == "latent")
    shapes = [
        ("B", *each.shape[1:]) for each in Pass(step.module)(torch.zeros(1, sizes.style_size))
    ]
    once = Plan(
        "image",
        Pass(step.module),
        inputs=(latent,),
        outputs=tuple(TensorOf(f"out_{n}", "float32", shape) for n, shape in enumerate(shapes)),
        examples=lambda batch, kind: {"latent": step.examples(batch, kind)["latent"]},
        rewrite=latents.ungrouped,
    )
    medians = interleaved({"a pass": graphs([once]), "a step": graphs([step])}, 1, rounds)
    steps, passes = (STEPS + 1) * medians["a step"], medians["a pass"]
    terminal.report(f"an edit of {STEPS} steps, {rounds} rounds")
    rows = [(name, f"{1000 * median:.0f} ms") for name, median in medians.items()]
    terminal.table(("one thread", "median"), [*rows, ("the edit", f"{steps:.1f} s")])
    terminal.report(f"as long as {steps / STEPS / passes:.2f} passes a step")


def main(
    only: Annotated[str | None, typer.Option(help="drawing or edit.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds.")] = 15,
) -> None:
    """Compare speeds."""
    torch.set_num_threads(1)
    if only in (None, "drawing"):
        compare_drawing(rounds)
    if only in (None, "edit"):
        compare_steps(rounds)


def compare_drawing(rounds: int) -> None:
    ours = plan_of(grouped=False)
    compared = {
        "PyTorch eager": eager(ours),
        "PyTorch eager, grouped": eager(plan_of(grouped=True)),
        "t2i-export": graphs([ours]),
    }
    compare(f"a latent to {SIZES.image_px} px", compared, 1, rounds)


if __name__ == "__main__":
    typer.run(main)
