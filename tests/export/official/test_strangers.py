"""Files of strangers: what is no checkpoint is named for what it is, and nothing in it is run."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from official_files import refused, save, save_legacy, save_words

from t2i.export.official import pickles
from t2i.export.official.vocabulary import read_words
from t2i.runtime.errors import ExportError

STATE = {"conv.weight": torch.arange(12.0).reshape(3, 4), "conv.bias": torch.zeros(3)}
Make = Callable[[Path], object]


class Call:
    """Pickles as a call of anything."""

    def __init__(self, called: Callable[..., Any], *given: Any) -> None:
        self.called, self.given = called, given

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.called, self.given


CALLS: dict[str, Callable[[str], Call]] = {
    "posix.system": lambda trap: Call(os.system, f"touch {trap}"),
    "builtins.eval": lambda trap: Call(eval, f"open({trap!r}, 'w')"),
    "builtins.exec": lambda trap: Call(exec, f"open({trap!r}, 'w')"),
    "posix.mkdir": lambda trap: Call(os.mkdir, trap),
    "io.open": lambda trap: Call(open, trap, "w"),
    "builtins.getattr": lambda trap: Call(getattr, "", "join"),
    "builtins.__import__": lambda trap: Call(__import__, "antigravity"),
    "torch.serialization.load": lambda trap: Call(torch.load, trap),
    "torch.serialization.save": lambda trap: Call(torch.save, 0, trap),
}


def save_pickle(value: Any, path: Path) -> Path:
    path.write_bytes(pickle.dumps(value))
    return path


@pytest.mark.parametrize("save", [save, save_legacy, save_pickle])
@pytest.mark.parametrize("called", CALLS)
def test_a_pickle_that_calls_something_is_refused_and_not_run(
    called: str, save: Callable[[Any, Path], Path], tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    file = save({"weight": None, "epoch": CALLS[called](str(trap))}, tmp_path / "netG.pth")
    said = refused("--inspect", file)
    assert f"asks for {called}, which no weights need; nothing of it was run" in said
    assert not trap.exists()


def test_a_vocabulary_that_calls_something_is_not_run_either(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    words = save_pickle([Call(os.system, f"touch {trap}")], tmp_path / "captions.pickle")
    assert "asks for posix.system" in refused("--inspect", words)
    assert not trap.exists()


NO_VOCABULARIES: dict[str, tuple[bytes, str]] = {
    "a text": (b"these are words", "is no vocabulary"),
    "a record": (b'{"a": 1}', "is no vocabulary"),
    "a list": (pickle.dumps(["a", "b"]), "is no vocabulary"),
    "a web page": (b"<html>", "is a web page"),
    "cut off": (pickle.dumps([[1], [2], {0: "<end>"}, {"<end>": 0}])[:-9], "is damaged"),
    "a program as text": (b"cos\nsystem\n(S'touch trap'\ntR.", "asks for os.system"),
}


@pytest.mark.parametrize("kind", NO_VOCABULARIES)
def test_a_file_that_is_no_vocabulary_is_named_for_what_it_is(kind: str, tmp_path: Path) -> None:
    data, said = NO_VOCABULARIES[kind]
    words = tmp_path / "captions.pickle"
    words.write_bytes(data)
    with pytest.raises(ExportError, match=said):
        read_words(words)


def test_a_vocabulary_in_the_place_of_weights_is_told(tmp_path: Path) -> None:
    said = refused("stylegan2", f"--weights={save_words(['a'], tmp_path / 'captions.pickle')}")
    assert "captions and their vocabulary, which --vocabulary takes" in said


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_vocabulary_may_be_of_any_protocol(protocol: int, tmp_path: Path) -> None:
    file = save_words(["a", "bird"], tmp_path / "captions.pickle", protocol)
    assert read_words(file) == ["<end>", "a", "bird"]


def test_what_is_smuggled_into_a_tensor_is_not_run_either(tmp_path: Path) -> None:
    trap, make = tmp_path / "trap", torch._utils._rebuild_tensor_v2
    evil = Call(make, Call(os.system, f"touch {trap}"), 0, (1,), (1,))
    assert "asks for posix.system" in refused("--inspect", save(evil, tmp_path / "evil.pth"))
    assert not trap.exists()
    odd = {"weight": Call(make, "storage", 0, (1,), (1,))}
    assert "no storage" in refused("--inspect", save(odd, tmp_path / "odd.pth"))


def laughs(levels: int) -> Any:
    """A dictionary with another in it twice, which has another in it twice, and so on."""
    value: dict[str, Any] = {"weight": STATE["conv.bias"]}
    for _ in range(levels):
        value = {"ha": value, "haha": value}
    return value


def endless() -> Any:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def members(path: Path) -> dict[str, bytes]:
    """Of a file as torch.save writes it, by the last part of their names."""
    save(STATE, path)
    with zipfile.ZipFile(path) as archive:
        return {each.filename: archive.read(each) for each in archive.infolist()}


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def changed(path: Path, member: str, data: bytes) -> None:
    files = members(path)
    (name,) = (each for each in files if each.endswith(member))
    zipped(path, {**files, name: data})


def with_entry(path: Path, name: str, mode: int = 0o100644) -> None:
    save(STATE, path)
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, b"secret")


class Numbers:
    """Stands for a storage of three numbers."""


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        known = isinstance(value, Numbers)
        return ("storage", torch.FloatStorage, "0", "cpu", 3) if known else None


def lying(path: Path, shape: Any, strides: Any) -> None:
    """A file of torch.save whose pickle says of a tensor what it likes."""
    data = io.BytesIO()
    tensor = Call(torch._utils._rebuild_tensor_v2, Numbers(), 0, shape, strides)
    Pickler(data, protocol=2).dump({"weight": tensor})
    changed(path, "data.pkl", data.getvalue())


def safe(path: Path, header: dict[str, Any], length: int | None = None) -> None:
    data = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", length or len(data)) + data)


def cut(path: Path, save: Callable[[Any, Path], Path]) -> None:
    path.write_bytes(save(STATE, path).read_bytes()[:-60])


TERABYTES = 10 * 2**40
HUGE = {
    "dtype": "F32",
    "shape": [TERABYTES // 4],
    "data_offsets": [0, TERABYTES],
}
ADAM = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])

FILES: dict[str, tuple[Make, str]] = {
    "nested laughs": (lambda path: save(laughs(80), path), "without end"),
    "wide laughs": (lambda path: save(laughs(30), path), "without end"),
    "a dictionary in itself": (lambda path: save(endless(), path), "without end"),
    "10 TB of tensor": (lambda path: lying(path, (TERABYTES // 4,), (1,)), "more than the file"),
    "a number 10 TB wide": (lambda path: lying(path, (TERABYTES // 4,), (0,)), "more than the"),
    "before its storage": (lambda path: lying(path, (2,), (-1,)), "no shape"),
    "a shape of words": (lambda path: lying(path, ("a",), (1,)), "no shape"),
    "10 TB of safetensors": (lambda path: safe(path, {"weight": HUGE}), "damaged"),
    "a header without end": (lambda path: safe(path, {}, 2**62), "damaged"),
    "no safetensors": (lambda path: safe(path, {}), "holds no tensors"),
    "a text of 10 TB": (
        lambda path: path.write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", TERABYTES) + b"ha"),
        "ends too early",
    ),
    "10 TB of bytes that can be changed": (
        lambda path: path.write_bytes(b"\x80\x05\x96" + struct.pack("<Q", TERABYTES)),
        "no pickle",
    ),
    "a memo of 4 billion": (
        lambda path: path.write_bytes(b"\x80\x02Nr\xff\xff\xff\xff."),
        "no tensors by name",
    ),
    "a code of copyreg": (lambda path: path.write_bytes(b"\x80\x02\x82\x01."), "no pickle"),
    "a zip bomb": (
        lambda path: zipped(path, {"a/data.pkl": b"\0" * 2**24}, zipfile.ZIP_DEFLATED),
        "when unpacked",
    ),
    "numbers that are packed": (
        lambda path: zipped(path, members(path), zipfile.ZIP_DEFLATED),
        "not as many",
    ),
    "numbers that are missing": (
        lambda path: zipped(path, {k: v for k, v in members(path).items() if "/data/" not in k}),
        "are missing",
    ),
    "a link to another file": (lambda path: with_entry(path, "a/link", 0o120777), "is a link"),
    "a path out of it": (lambda path: with_entry(path, "a/../../../x"), "outside"),
    "a path from the root": (lambda path: with_entry(path, "/etc/x"), "outside"),
    "another zip": (lambda path: zipped(path, {"word/document.xml": b""}), "torch.save"),
    "a big-endian machine's": (lambda path: changed(path, "byteorder", b"big"), "big-endian"),
    "cut off": (lambda path: cut(path, save), "its end is too"),
    "cut off, before 1.6": (lambda path: cut(path, save_legacy), "ends too early"),
    "half a pickle": (lambda path: path.write_bytes(b"\x80\x02}q"), "ends too early"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a pipe": (os.mkfifo, "no plain file"),
    "nothing": (lambda path: None, "No such file"),
    "a pointer of Git LFS": (
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid"),
        "pointer of Git LFS",
    ),
    "a web page": (
        lambda path: path.write_bytes(b"\n<!DOCTYPE html><html><title>Virus scan warning"),
        "web page",
    ),
    "a text": (lambda path: path.write_bytes(b"0 1 2 3 4 5 6 7 8"), "no file of weights"),
    "an optimiser": (lambda path: save(ADAM.state_dict(), path), "state of an optimiser"),
    "an optimiser among others": (
        lambda path: save({"epoch": 3, "optimizer": ADAM.state_dict()}, path),
        "state of an optimiser",
    ),
    "settings": (lambda path: save({"epoch": 3}, path), "a dictionary of epoch"),
    "a list of tensors": (lambda path: save([torch.ones(1)], path), "but a list"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_checkpoint_is_named_for_what_it_is(kind: str, tmp_path: Path) -> None:
    make, said = FILES[kind]
    file = tmp_path / "netG.pth"
    make(file)
    assert said in refused("--inspect", file)
    assert said in refused("stylegan2", f"--weights={file}")


@pytest.mark.parametrize("protocol", [2, 5])
def test_more_values_than_a_checkpoint_has_are_not_read(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "LARGEST_BYTES", 10_000)
    file = tmp_path / "netG.pth"
    file.write_bytes(pickle.dumps([None] * 20_000, protocol))
    assert "lists more than any checkpoint does" in refused("--inspect", file)


def test_numbers_of_a_name_that_is_no_text_are_damaged(tmp_path: Path) -> None:
    """The name before the numbers themselves, which the table of contents does not repeat."""
    data = bytearray(save(STATE, tmp_path / "net.pth").read_bytes())
    name = data.index(b"/data/0")
    header = data.rindex(b"PK\3\4", 0, name)
    data[header + 7] |= 8  # the names are UTF-8
    data[name] = 0xFF
    (tmp_path / "net.pth").write_bytes(data)
    kept = f"--save-weights={tmp_path / 'kept.safetensors'}"
    assert "not those that were written" in refused(f"--weights={tmp_path / 'net.pth'}", kept)


def test_every_byte_that_is_lost_is_missed(tmp_path: Path) -> None:
    whole = save_legacy(STATE, tmp_path / "whole.pth").read_bytes()
    file = tmp_path / "part.pth"
    for length in range(1, len(whole), 41):
        file.write_bytes(whole[:length])
        refused("--inspect", file)
