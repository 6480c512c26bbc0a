"""Sound files become damaged ones, and what a program makes of these.

Whatever is changed is decided by a seed: the same number damages the same file in the same way.
"""

import contextlib
import copy
import io
import json
import re
import struct
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

from t2i.runtime import terminal

NOTABLE = (0, 1, -1, 127, 128, 255, 2**15, 2**16, 2**31 - 1, -(2**31), 2**32, 2**63 - 1, -(2**63))
ANYTHING: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 2**31, 2**53, 10**30, 0.5, -0.0, -1e300, "", "x", "../x"),
    *("\0", "\ud800", "x" * 5000, "\u202e", "B", "a red bird", [], [[]], [None], [1, 2], {}),
    {"x": 1},
)
STRANGE = (
    *("\0", "\n", "\r\n", "\t", '"', "'", "\\", ",", "{", "}", "[", "]", "%", "-", "--", "&#0;"),
    *("\ufeff", "\u202e", "\u2028", "\ud800", "\U0001f426", "e\u0301", "\u0130", "\x1b[2J", "é"),
    *("&amp;amp;", "<|endoftext|>", "</s>", "<unk>", "x" * 3000, "a " * 3000, "\u3000", "1e999"),
)
EXPLAINED = re.compile(r"^(error|Error): .+(\n hint: .+)?\n\Z", re.MULTILINE)


def damaged(data: bytes, chance: Random) -> bytes:
    """One to eight changes of bytes, wherever they fall."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 8))):
        place = chance.randrange(len(found) + 1)
        some = chance.choice((1, 2, 4, 8, 40, 300))
        match chance.randrange(9):
            case 0:
                del found[place:]
            case 1:
                del found[place : place + some]
            case 2:
                found[place:place] = chance.randbytes(some)
            case 3:
                found[place:place] = found[place : place + some]
            case 4 | 5:
                value = chance.choice(NOTABLE) & (2**64 - 1)
                size, order = chance.choice((1, 2, 4, 8)), chance.choice("<>")
                number = struct.pack(f"{order}Q", value)
                found[place : place + size] = number[:size] if order == "<" else number[-size:]
            case 6:
                found[place : place + some] = bytes(len(found[place : place + some]))
            case _ if found:
                place = min(place, len(found) - 1)
                found[place] ^= 1 << chance.randrange(8)
    return bytes(found)


def retold(data: bytes, chance: Random) -> bytes:
    """JSON of which one to three values are missing, doubled or others; now and then no JSON."""
    if chance.random() < 0.2:
        return damaged(data, chance)
    contents = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        contents = _changed(contents, chance)
    return json.dumps(contents, ensure_ascii=chance.random() < 0.9).encode("utf-8", "replace")


def lines_retold(data: bytes, chance: Random) -> bytes:
    """The same of JSON lines."""
    lines = data.splitlines()
    place = chance.randrange(len(lines))
    lines[place] = retold(lines[place], chance)
    return b"\n".join(lines) + b"\n" if chance.random() < 0.8 else damaged(data, chance)


def misspelt(data: bytes, chance: Random) -> bytes:
    """A text with strange characters in it, or one of damaged bytes."""
    if chance.random() < 0.3:
        return damaged(data, chance)
    text = data.decode()
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = chance.randrange(len(text) + 1)
        until = place + chance.choice((0, 0, 1, 10))
        text = text[:place] + chance.choice(STRANGE) + text[until:]
    return text.encode("utf-8", "surrogatepass")


def _changed(contents: Any, chance: Random) -> Any:
    contents = copy.deepcopy(contents)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        # Of long lists a part is enough: else nothing but words would ever be changed.
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        for key in keys if len(keys) < 30 else chance.sample(keys, 10):
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                walk(value[key])

    if not isinstance(contents, (dict, list)):
        return chance.choice(ANYTHING)
    walk(contents)
    if not places:
        return chance.choice(ANYTHING)
    where, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del where[key]
        case 1 if isinstance(where, dict):
            where[f"{key}s"] = where[key]
        case 2 if isinstance(where, list):
            where.insert(chance.randrange(len(where) + 1), copy.deepcopy(where[key]))
        case _:
            where[key] = chance.choice(ANYTHING)
    return contents


def outcome(use: Callable[[], object]) -> tuple[int, str]:
    """How a command ends, and what is wrong with that: a traceback, or an error without a word."""
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            with terminal.explaining_errors():
                use()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:  # noqa: BLE001  # any other end is a finding
            return -1, traceback.format_exc(limit=-5)
        else:
            status = 0
    text = said.getvalue()
    if status and not EXPLAINED.search(text):
        return status, f"exit status {status}, and nothing says why:\n{text[-500:]}"
    return status, ""
