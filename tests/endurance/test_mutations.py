"""What strangers send is read or refused with a reason: ten thousand files, and no traceback."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from endurance.conftest import Record
from endurance.mutation import outcome
from endurance.strangers import SUBJECTS, Kind

FILES, FEW = 2_000, 40
"""Of each subject."""
MOST_SECONDS = 60.0
"""For one file, on a machine that is busy with others."""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_mutated_file_is_read_or_refused_with_a_reason(
    subject: str, in_full: bool, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = SUBJECTS[subject](tmp_path)
    for name, kind in kinds.items():
        status, wrong = outcome(kind.use)
        assert status == 0, f"{name} is refused as it is: {wrong}"
    found: Counter[str] = Counter()
    failures = []
    for number in range(FILES if in_full else FEW):
        began = monotonic()
        name, said, wrong = damage_one(kinds, number)
        found[said] += 1
        if monotonic() - began > MOST_SECONDS:
            wrong = f"it took {monotonic() - began:.0f} s"
        if wrong:
            failures.append(f"{subject} {number}, {name}: {wrong}")
    record(f"mutations-{subject}", {**found, "failures": len(failures)})
    assert not failures, f"{len(failures)} failures:\n\n" + "\n\n".join(failures[:20])


def damage_one(kinds: Mapping[str, Kind], number: int) -> tuple[str, str, str]:
    """The name of what was damaged, what came of it, and what is wrong with that."""
    name = list(kinds)[number % len(kinds)]
    kind, chance = kinds[name], Random(number)
    whole = kind.file.read_bytes()
    try:
        kind.file.write_bytes(kind.mutate(whole, chance))
        kind.seal()
        status, wrong = outcome(kind.use)
    finally:
        kind.file.write_bytes(whole)
        kind.seal()
    return name, {0: "read", 1: "refused", 2: "refused"}.get(status, "failed"), wrong
