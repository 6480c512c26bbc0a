"""Numbers and messages of protocol buffers, field by field, without their schemas.

Source: protobuf.dev, "Encoding".
"""

from collections.abc import Iterator

from t2i.export.official.natures import Damaged

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
LONGEST = 10
"""Bytes of a number of 64 bits."""
MOST = 2**18
"""Fields of a message: more than any network has tensors."""

Field = int | memoryview


def varint(data: memoryview, start: int) -> tuple[int, int]:
    """The number that begins at `start`, and where it ends.

    Raises:
        Damaged: it does not end.
    """
    found = 0
    for place, byte in enumerate(data[start : start + LONGEST]):
        found |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return found & (2**64 - 1), start + place + 1
    raise Damaged("a number in it does not end")


def fields(message: memoryview) -> Iterator[tuple[int, Field]]:
    """Number and value of each field: numbers where they are varints, else bytes.

    Raises:
        Damaged: a field reaches beyond the message, or is of no kind.
    """
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        kind = key & 7
        if kind == VARINT:
            number, place = varint(message, place)
            yield key >> 3, number
            continue
        if kind == BYTES:
            size, place = varint(message, place)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise Damaged("a message in it has a field of no kind")
        if size > len(message) - place:
            raise Damaged("a message in it ends too early")
        yield key >> 3, message[place : place + size]
        place += size


class Message:
    """The fields of a message, by number.

    Raises:
        Damaged: it is none, or not of its schema.
    """

    def __init__(self, message: memoryview) -> None:
        self._fields: dict[int, list[Field]] = {}
        for place, (number, value) in enumerate(fields(message)):
            if place == MOST:
                raise Damaged("a message in it has no end of fields")
            self._fields.setdefault(number, []).append(value)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def number(self, number: int) -> int:
        """A varint, the last of several; 0 where there is none."""
        value = self._fields.get(number, [0])[-1]
        if not isinstance(value, int):
            raise Damaged("a message in it has bytes in the place of a number")
        return value

    def all_bytes(self, number: int) -> list[memoryview]:
        """All values of a repeated field of texts or messages."""
        values = self._fields.get(number, [])
        found = [value for value in values if isinstance(value, memoryview)]
        if len(found) < len(values):
            raise Damaged("a message in it has a number in the place of bytes")
        return found

    def bytes(self, number: int) -> memoryview:
        """A text or message, the last of several; empty where there is none."""
        return (self.all_bytes(number) or [memoryview(b"")])[-1]

    def text(self, number: int) -> str:
        try:
            return str(self.bytes(number), "utf-8")
        except UnicodeDecodeError as error:
            raise Damaged("a name in it is no text") from error
