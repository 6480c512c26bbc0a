"""The test captions that ship with `t2i-score`, and what each of them states.

    python -m bench.captions      # writes runtime/score/birds/captions.jsonl

They are those of the first 2,000 birds of the test split, each of which has a combination of
colours that no training shows.
"""

import json
from collections.abc import Iterator

from t2i.runtime import terminal
from t2i.runtime.pictures import write_whole
from t2i.runtime.score.references import CAPTIONS
from t2i.train.data.birds.attributes import facts_of
from t2i.train.data.birds.captions import phrase
from t2i.train.data.dice import Dice, mix

COUNT = 2000
WORDS = 32
"""Longest caption: what the shipped systems read."""
SEED = 0
"""As trainings have it: which combinations are kept for tests depends on it alone."""


def lines(count: int = COUNT) -> Iterator[str]:
    """One JSON object a bird: `text` and `facts`. Words are chosen as in `Birds.fixed`."""
    for index in range(count):
        facts = facts_of(SEED, "test", index)
        text = phrase(facts, Dice(mix(index)), WORDS)
        yield json.dumps({"text": text, "facts": dict(facts)}) + "\n"


def main() -> None:
    write_whole(CAPTIONS, "".join(lines()).encode())
    terminal.report(f"wrote {CAPTIONS}")


if __name__ == "__main__":
    main()
