"""Checkpoints of TensorFlow: what was written is read, and what is damaged is refused."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow_files as files
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.export.official.natures import Damaged
from t2i.export.official.tables import open_checkpoint
from t2i.export.official.tensorflow import checkpoint, snappy, table
from t2i.export.official.tensorflow.checksum import FEW, LANES, crc32c, masked
from t2i.export.official.tensorflow.wire import Message
from t2i.runtime.errors import ExportError

RANDOM = np.random.default_rng(0)
VARIABLES = {
    "conv0/BatchNorm/beta": np.zeros(70, np.float32),
    "conv0/weights": RANDOM.normal(size=(3, 3, 2, 5)).astype(np.float32),
    "conv0/weights/ExponentialMovingAverage": RANDOM.normal(size=(3, 3, 2, 5)).astype(np.float32),
    "conv1/weights": RANDOM.normal(size=(1, 7, 5, 4)).astype(np.float32),
    "global_step": np.array(5000, np.int64),
    "learning_rate": np.array(0.5, np.float32),
}

Write = Callable[[Path], Path]
WAYS: dict[str, Write] = {
    "older": lambda path: files.write_older(path, VARIABLES),
    "older, packed": lambda path: files.write_older(path, VARIABLES, packed=True),
    "newer": lambda path: files.write_newer(path, VARIABLES),
    "newer, packed, in parts": lambda path: files.write_newer(
        path, VARIABLES, parts=3, packed=True
    ),
}


def read(path: Path) -> dict[str, np.ndarray]:
    found = checkpoint.find(path)
    assert found is not None
    return dict(checkpoint.read(found))


@pytest.mark.parametrize("way", WAYS)
def test_numbers_of_float32_come_back_under_their_names(way: str, tmp_path: Path) -> None:
    found = read(WAYS[way](tmp_path / "model.ckpt-5000"))
    wanted = {name: value for name, value in VARIABLES.items() if value.dtype == np.float32}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


def test_a_checkpoint_is_found_by_its_prefix_and_by_each_of_its_files(tmp_path: Path) -> None:
    prefix = files.write_newer(tmp_path / "model.ckpt-5000", VARIABLES)
    index = tmp_path / "model.ckpt-5000.index"
    for name in ("", ".index", ".meta", ".data-00000-of-00001"):
        assert checkpoint.find(Path(f"{prefix}{name}")) == index
    older = files.write_older(tmp_path / "model.ckpt", VARIABLES)
    assert checkpoint.find(older) == checkpoint.find(tmp_path / "model.ckpt.meta") == older


def test_what_is_no_checkpoint_is_not_found(tmp_path: Path) -> None:
    for name, data in (("empty", b""), ("short", b"\x57"), ("zip", b"PK\3\4" * 20)):
        (tmp_path / name).write_bytes(data)
        assert checkpoint.find(tmp_path / name) is None
    assert checkpoint.find(tmp_path / "missing") is None
    assert checkpoint.find(tmp_path) is checkpoint.find(Path()) is None


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, wanted: int) -> None:
    """RFC 3720, section B.4, and the check value of the CRC catalogue."""
    assert crc32c(memoryview(data)) == wanted


@pytest.mark.parametrize("size", [FEW - 1, FEW, FEW + 1, FEW + LANES - 1, 3 * FEW + 77])
def test_checksums_side_by_side_are_those_byte_by_byte(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert masked(memoryview(data)) == files.masked(data)


@pytest.mark.parametrize(
    ("packed", "wanted"),
    [
        (b"\x07\x08xab\x01\x02", b"xababab"),  # the example of the format's description
        (b"\x0a\x00a\x22\x01\x00", b"a" * 10),
        (b"\x05\x00a\x0f\x01\x00\x00\x00", b"aaaaa"),
        (b"\x64\xf0\x63" + bytes(range(100)), bytes(range(100))),
        (b"\xb0\x02\xf4\x2b\x01" + b"abc" * 100 + b"\x21\x2c", b"abc" * 100 + b"abca"),
        (b"\x00", b""),
    ],
)
def test_packed_blocks_are_unpacked(packed: bytes, wanted: bytes) -> None:
    assert snappy.unpacked(memoryview(packed)) == wanted


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x03\x08xa",  # ends too early
        b"\x04\x08xab",  # is less than it says
        b"\x02\x08xab",  # is more
        b"\x07\x08xab\x01\x04",  # repeats what comes before the beginning
        b"\x07\x08xab\x01\x00",
        b"\x07\x08xab\x01",
        b"\xff\xff\xff\xff\x0f\x00a",  # 4 GB of three bytes
        b"\x80" * 11,
    ],
)
def test_blocks_that_are_packed_otherwise_are_refused(packed: bytes) -> None:
    with pytest.raises(Damaged):
        snappy.unpacked(memoryview(packed))


@pytest.mark.slow
@settings(max_examples=60)
@given(st.sampled_from(sorted(WAYS)), st.integers(0, 2**31), st.integers(1, 255))
def test_no_flipped_bit_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, way: str, place: int, change: int
) -> None:
    """The numbers are what they were, or there are none; a footer has bytes that mean nothing."""
    folder = tmp_path_factory.mktemp("flipped")
    WAYS[way](folder / "model.ckpt")
    file = sorted(folder.iterdir())[place % len(list(folder.iterdir()))]
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= change
    file.write_bytes(data)
    try:
        found = read(folder / "model.ckpt")
    except (AssertionError, Damaged):
        return
    for name, value in found.items():
        np.testing.assert_array_equal(value, VARIABLES[name], strict=True)


@settings(max_examples=30)
@given(st.binary(max_size=120), st.booleans())
def test_strange_bytes_in_a_sound_table_are_refused(value: bytes, whole: bool) -> None:
    """Or are no variables: nothing else is raised, whatever they say."""
    entries = [(b"", value), (b"weights", value)]
    try:
        for _, each in table.entries(memoryview(files.table(entries if whole else entries[1:]))):
            Message(each)
    except Damaged:
        pass


def tabled(contents: bytes, *entries: tuple[bytes, bytes]) -> Write:
    def write(path: Path) -> Path:
        path.write_bytes(files.table([(b"", contents), *entries]))
        return path

    return write


def bundled(entry: bytes, header: bytes = files.number(1, 1), data: bytes = bytes(8)) -> Write:
    def write(path: Path) -> Path:
        index = path.with_name(f"{path.name}.index")
        index.write_bytes(files.table([(b"", header), (b"weights", entry)]))
        path.with_name(f"{path.name}.data-00000-of-00001").write_bytes(data)
        return path

    return write


def entry(*sides: int, size: int = 8, start: int = 0, part: int = 0, more: bytes = b"") -> bytes:
    shape = b"".join(files.nested(2, files.number(1, side)) for side in sides)
    return b"".join(
        (
            files.number(1, 1) + files.nested(2, shape) + files.number(3, part),
            files.number(4, start) + files.number(5, size),
            files.fixed(6, files.masked(bytes(8))) + more,
        )
    )


def saved(*slices: bytes, sides: bytes = files.nested(2, files.number(1, 2))) -> bytes:
    described = files.nested(1, b"weights") + files.nested(2, sides) + files.number(3, 1)
    return files.nested(1, files.nested(1, described + b"".join(slices)))


WHOLE = files.nested(4, files.nested(1, b""))
HALF = files.nested(4, files.nested(1, files.number(2, 1)))
DAMAGED: dict[str, tuple[Write, str]] = {
    "parts": (tabled(saved(HALF, HALF)), "several tensors"),
    "a part": (tabled(saved(HALF)), "several tensors"),
    "nothing of what is promised": (tabled(saved(WHOLE)), "does not hold weights"),
    "too few numbers": (
        tabled(saved(WHOLE), (b"x", files.nested(2, files.nested(1, b"weights")))),
        "0 bytes",
    ),
    "a message that ends early": (tabled(b"\x0a\x05ab"), "ends too early"),
    "a field of no kind": (tabled(b"\x0b"), "no kind"),
    "a number without end": (tabled(b"\x08" + b"\xff" * 11), "does not end"),
    "bytes for a number": (bundled(files.nested(1, b"float")), "place of a number"),
    "a number for bytes": (bundled(files.number(1, 1) + files.number(7, 5)), "place of bytes"),
    "tensors of 10 TB": (bundled(entry(2**20, 2**21)), "not (1048576, 2097152) numbers"),
    "a negative side": (bundled(entry(2**64 - 1, 2)), "bytes, which are not"),
    "too many sides": (bundled(entry(*[1] * 9)), "too many sides"),
    "numbers elsewhere": (bundled(entry(2, start=2**60)), "beyond the end"),
    "numbers of another": (bundled(entry(2), data=b"\1" * 8), "checksum"),
    "a file that is not there": (bundled(entry(2, part=1)), "does not have"),
    "too many files": (bundled(entry(2), header=files.number(1, 2**40)), "too many files"),
    "another byte order": (
        bundled(entry(2), header=files.number(1, 1) + files.number(2, 1)),
        "another kind of computer",
    ),
    "slices": (bundled(entry(2, more=files.nested(7, b""))), "several tensors"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_what_cannot_be_a_checkpoint_is_refused_in_words(how: str, tmp_path: Path) -> None:
    write, said = DAMAGED[how]
    with pytest.raises(ExportError, match="is damaged") as caught:
        open_checkpoint(write(tmp_path / "model.ckpt"))
    assert said in str(caught.value)


def test_a_missing_file_of_numbers_is_named(tmp_path: Path) -> None:
    prefix = files.write_newer(tmp_path / "model.ckpt", VARIABLES, parts=2)
    Path(f"{prefix}.data-00001-of-00002").unlink()
    with pytest.raises(ExportError, match=r"model\.ckpt\.data-00001-of-00002 is not beside it"):
        open_checkpoint(prefix)


def test_averages_are_a_table_and_what_an_optimiser_keeps_is_left_out(tmp_path: Path) -> None:
    kept = {f"{name}/RMSProp": value for name, value in VARIABLES.items() if value.ndim}
    path = files.write_newer(tmp_path / "model.ckpt", {**VARIABLES, **kept})
    found = open_checkpoint(path)
    assert found.tables["ema"].shapes == {"conv0.weights": (3, 3, 2, 5)}
    average = VARIABLES["conv0/weights/ExponentialMovingAverage"]
    np.testing.assert_array_equal(found.tables["ema"]["conv0.weights"].numpy(), average)
    plain = {"conv0.BatchNorm.beta", "conv0.weights", "conv1.weights", "learning_rate"}
    assert set(found.tables[""]) == plain


def test_blocks_that_lie_over_each_other_are_refused() -> None:
    """A few bytes would be read for as long as their author likes."""
    block = files.block_of([(b"key", b"value" * 20)])
    trailed = block + b"\0"
    data = trailed + struct.pack("<I", files.masked(trailed))
    handle = files.varint(0) + files.varint(len(block))
    index = files.block_of([(f"{n:04}".encode(), handle) for n in range(1000)], restart=1) + b"\0"
    where = files.varint(len(data)) + files.varint(len(index) - 1)
    data += index + struct.pack("<I", files.masked(index))
    data += (handle + where).ljust(40, b"\0") + table.MAGIC
    with pytest.raises(Damaged, match="more than it can"):
        list(table.entries(memoryview(data)))
