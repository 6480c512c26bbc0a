"""How well a text encoder reads colours that no training caption has beside the main colour.

    python -m bench.reading                     # the weights of DAMSM that ship
    python -m bench.reading runs/charcnnrnn/001-birds

Reads 4,000 captions of the validation split: the test split is for scores alone. A value is read
where its channels of the sentence are nearest to the code of `train/losses/code.py`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from t2i.models import charcnnrnn, damsm
from t2i.runtime import runs, terminal
from t2i.runtime.records import decode
from t2i.train import data
from t2i.train.data.birds.attributes import NAMES, VALUES, combinations, facts_of, split_of
from t2i.train.data.birds.captions import phrase
from t2i.train.data.dice import Dice, mix
from t2i.train.players import below
from t2i.train.prerequisites import read_state

CAPTIONS, BATCH = 4000, 500


Encoder = Callable[[Tensor], Tensor]


def encoder(run: runs.Run) -> Encoder:
    """From captions to their codes, by the trained text encoder of a run."""
    state, sizes = below("text.", read_state(run.weights)), run.recipe.network
    if run.recipe.system == "charcnnrnn":
        spelling = charcnnrnn.TextEncoder(decode(charcnnrnn.Settings, sizes))
        spelling.load_state_dict(state)
        return spelling.eval()
    both_ways = damsm.TextEncoder(decode(damsm.Settings, sizes))
    both_ways.load_state_dict(state)
    both_ways.eval()
    return lambda tokens: both_ways(tokens).sentence.unflatten(1, (2, -1)).sum(dim=1)


def read(network: Encoder, tokens: Tensor) -> Tensor:
    """The number of each attribute's value in captions: (B, A)."""
    sizes = [len(values) for values in VALUES.values()]
    with torch.no_grad():
        codes = network(tokens)
    blocks = codes[:, : sum(sizes)].split(sizes, dim=1)
    return torch.stack([block.argmax(dim=1) for block in blocks], dim=1)


def answers(run: runs.Run) -> Iterator[tuple[str, bool, bool]]:
    """For each colour or mark that is stated: its name, whether it is held out, whether read."""
    settings = decode(data.Settings, run.recipe.settings["data"])
    birds, network = data.open(settings, ready=False), encoder(run)
    for start in range(0, CAPTIONS, BATCH):
        said = [facts_of(settings.seed, "validation", n) for n in range(start, start + BATCH)]
        dice = [Dice(mix(n)) for n in range(start, start + BATCH)]
        captions = [phrase(*each, settings.words) for each in zip(said, dice, strict=True)]
        tokens = [torch.tensor(birds.tokens(*each)) for each in zip(captions, dice, strict=True)]
        seen = read(network, pad_sequence(tokens, batch_first=True))
        for facts, codes in zip(said, seen.tolist(), strict=True):
            unseen = {
                pair.split("-")[1] for pair in combinations(facts) if split_of(pair) != "train"
            }
            for name, values, code in zip(NAMES, VALUES.values(), codes, strict=True):
                told = facts.get("main" if name == "back" else name)
                if told:
                    yield name, name in unseen, values[code] == told


def share(right: list[bool]) -> str:
    return f"{100 * sum(right) / len(right):.1f} of {len(right)}" if right else "-"


def main(run: Annotated[Path, typer.Argument(help="Its folder.")] = runs.SHIPPED / "damsm") -> None:
    found = list(answers(runs.Run(run)))
    terminal.report(f"{run.name}: stated in validation captions and read so, in percent")
    rows = [
        (
            name,
            share([right for each, _, right in found if each == name]),
            share([right for each, unseen, right in found if each == name and unseen]),
        )
        for name in NAMES
    ]
    terminal.table(("attribute", "read", "read beside a main colour never seen with it"), rows)


if __name__ == "__main__":
    typer.run(main)
