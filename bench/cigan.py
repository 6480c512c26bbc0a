"""CI-GAN's generator at the paper's size: PyTorch and our export, one picture of 256 px.

    python -m bench.cigan                 # one thread, batch of 1
    python -m bench.cigan --rounds 31     # on a noisy machine

Weights are random: only speed is measured. All that is compared runs in turn, round by round, so
that a machine that slows down slows all alike; ratios are of medians. PyTorch works twice: as we
do, and with weights of its own for each picture, as StyleGAN2's official code does.
"""

from dataclasses import replace
from typing import Annotated

import torch
import typer

from bench.attngan import Way, graphs
from bench.clip import compare
from t2i.export import stylegan2 as latents
from t2i.export.check import expected
from t2i.export.cigan import Drawing
from t2i.export.plan import Captions, Plan, Tensors
from t2i.models import cigan, stylegan2
from t2i.runtime.bundle import Tensor

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
        inputs=tuple(Tensor(name, "float32", ("B", size)) for name, size in GIVEN.items()),
        outputs=(latents.image(SIZES),),
        examples=examples,
        rewrite=latents.ungrouped,
    )


def eager(plan: Plan) -> Way:
    def draw(batch: int) -> None:
        with torch.inference_mode():
            expected(plan, plan.examples(batch, "full"))

    return draw


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds.")] = 15,
) -> None:
    """Compare speeds."""
    torch.set_num_threads(1)
    ours = plan_of(grouped=False)
    compared = {
        "PyTorch eager": eager(ours),
        "PyTorch eager, grouped": eager(plan_of(grouped=True)),
        "t2i-export": graphs([ours]),
    }
    compare(f"a latent to {SIZES.image_px} px", compared, 1, rounds)


if __name__ == "__main__":
    typer.run(main)
