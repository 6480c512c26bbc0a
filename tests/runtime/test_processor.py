"""What is known of a processor decides which weights of eight bits it may multiply."""

from pathlib import Path

import pytest

from t2i.runtime import processor


@pytest.mark.parametrize(
    ("machine", "listed", "overflows"),
    [
        ("x86_64", "flags\t\t: fpu avx2 avx512_vnni avx512bw", False),
        ("AMD64", "flags\t\t: fpu avx2 avx_vnni", False),
        ("x86_64", "flags\t\t: fpu avx2 avx512f", True),
        ("x86_64", "", True),
        ("x86_64", None, True),
        ("aarch64", "Features\t: fp asimd", False),
        ("arm64", None, False),
    ],
)
def test_full_range_overflows_on_x86_without_vnni(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    listed: str | None,
    overflows: bool,
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if listed is not None:
        cpuinfo.write_text(f"processor\t: 0\nmodel name\t: some\n{listed}\n")
    monkeypatch.setattr(processor, "CPUINFO", cpuinfo)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert processor.overflows() == overflows
