"""CLIP at the size of ViT-B/32: PyTorch, a plain export and ours, for pictures and for captions.

    python -m bench.clip                  # one thread, batches of 1 and 32
    python -m bench.clip --only text      # or image
    python -m bench.clip --rounds 31      # on a noisy machine

Weights are random: only speed is measured. Pictures have 224 px and are normalised already, because
PyTorch would be given such. Captions have 12 tokens; the official code reads all 77 places of its
rows, and so do PyTorch and the plain export here, ours what is there. All that is compared runs in
turn, round by round, so that a machine that slows down slows all alike; ratios are of medians.
"""

from typing import Annotated, Literal

import torch
import typer

from bench.attngan import Way, as_it_is, interleaved
from t2i.export.check import start
from t2i.export.plan import Captions, Output, Plan, Tensors
from t2i.export.precision import SMALL, Precision, convert
from t2i.export.rewrite import rewrite
from t2i.export.trace import trace
from t2i.models import clip
from t2i.runtime import terminal
from t2i.runtime.bundle import Tensor

SIZES = clip.Settings(vocabulary=49_408)
SPOKEN = 12  # tokens of a caption
LARGE = 32


def pictures(batch: int, kind: Captions) -> Tensors:
    return {"image": torch.randn(batch, 3, SIZES.image_px, SIZES.image_px)}


def rows(batch: int, kind: Captions) -> Tensors:
    """Captions as the official code pads them."""
    tokens = torch.randint(1, SIZES.vocabulary - 2, (batch, SIZES.length))
    tokens[:, SPOKEN - 1] = SIZES.vocabulary - 1
    tokens[:, SPOKEN:] = 0
    return {"tokens": tokens}


def plan_of(network: clip.Clip, side: Literal["image", "text"]) -> Plan:
    px = SIZES.image_px
    given = {
        "image": Tensor("image", "float32", ("B", 3, px, px)),
        "text": Tensor("tokens", "int64", ("B", "T")),
    }
    return Plan(
        side,
        Output(network.image if side == "image" else network.text),
        inputs=(given[side],),
        outputs=(Tensor("code", "float32", ("B", SIZES.embed_size)),),
        examples=pictures if side == "image" else rows,
    )


def ways(network: clip.Clip, side: Literal["image", "text"]) -> dict[str, Way]:
    plan = plan_of(network, side)
    (given,) = plan.inputs
    examples = {batch: plan.examples(batch, "full")[given.name] for batch in (1, LARGE)}

    def eager(batch: int) -> None:
        with torch.inference_mode():
            plan.module(examples[batch])

    def graph(rewritten: bool, precision: Precision = "fp32") -> Way:
        exported = Plan(
            plan.role,
            plan.module,
            plan.inputs,
            plan.outputs,
            plan.examples,
            rewrite if rewritten else as_it_is,
        )
        session = start(convert(trace(exported), precision, plan.role, SMALL[0]), 1)

        def run(batch: int) -> None:
            example = examples[batch]
            spoken = example[:, :SPOKEN] if rewritten and side == "text" else example
            session.run(None, {given.name: spoken.numpy()})

        return run

    return {
        "PyTorch eager": eager,
        "plain export": graph(False),
        "t2i-export": graph(True),
        "t2i-export --int8": graph(True, "int8"),
    }


def compare(side: str, compared: dict[str, Way], batch: int, rounds: int) -> None:
    medians = interleaved(compared, batch, rounds)
    terminal.report(f"{side}, batch of {batch}, {rounds} rounds")
    table = [
        (name, f"{1000 * median:.0f} ms", f"{medians['PyTorch eager'] / median:.2f} ×")
        for name, median in medians.items()
    ]
    terminal.table(("one thread", "median", "speed of eager"), table)


def main(
    only: Annotated[str | None, typer.Option(help="image or text.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="Counted rounds at batch 1.")] = 15,
) -> None:
    """Compare speeds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = clip.Clip(SIZES).eval().requires_grad_(requires_grad=False)
    sides: tuple[Literal["image", "text"], ...] = ("image", "text")
    for side in sides:
        if only in (None, side):
            compared = ways(network, side)
            compare(side, compared, 1, rounds)
            compare(side, compared, LARGE, max(3, rounds // 5))


if __name__ == "__main__":
    typer.run(main)
