"""CRC-32C, by which tables and tensors of TensorFlow know that they are whole.

Source: RFC 3720, section B.4; its masking is LevelDB's.
"""

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

POLYNOMIAL = 0x82F63B78  # reflected
MASK = 0xA282EAD8
LANES = 1024
FEW = 2**16
"""Bytes of which a lane each would not pay."""


def masked(data: memoryview) -> int:
    """The checksum as it is stored, so that data with checksums in it have sound ones too."""
    found = crc32c(data)
    return (((found >> 15) | (found << 17)) + MASK) & 0xFFFFFFFF


def crc32c(data: memoryview) -> int:
    """The checksum of some bytes.

    A checksum is linear in its start and in its bytes. So as many parts as there are lanes are
    taken side by side, and then joined two by two: the first moves on over as many zeros as the
    second has bytes.
    """
    numbers = np.frombuffer(data, np.uint8)
    length = len(numbers) // LANES if len(numbers) >= FEW else 0
    whole, rest = numbers[: LANES * length].reshape(LANES, length), numbers[LANES * length :]
    found = np.uint32(0xFFFFFFFF)
    if length:
        lanes = np.zeros(LANES, np.uint32)
        lanes[0] = found
        for column in whole.T:
            lanes = _step(lanes, column)
        zeros = _power(_ONE_ZERO, length)
        while len(lanes) > 1:
            lanes = _applied(zeros, lanes[0::2]) ^ lanes[1::2]
            zeros = _applied(zeros, zeros)
        found = lanes[0]
    state = int(found)
    for byte in rest.tolist():
        state = _TABLE_LIST[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def _step(states: Words, numbers: npt.NDArray[np.uint8]) -> Words:
    """The states of all lanes after one more byte each."""
    return _TABLE[(states ^ numbers) & 0xFF] ^ (states >> 8)


def _table() -> Words:
    """What each byte makes of a state of 0."""
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = np.where(states & 1, POLYNOMIAL ^ (states >> 1), states >> 1)
    return states.astype(np.uint32)


def _applied(columns: Words, states: Words) -> Words:
    """A matrix of bits, as 32 columns, times the bits of each state."""
    found = np.zeros_like(states)
    for bit, column in enumerate(columns):
        found ^= np.where(states >> bit & 1, column, 0).astype(np.uint32)
    return found


def _power(columns: Words, exponent: int) -> Words:
    """A matrix times itself, so often."""
    found = np.left_shift(1, np.arange(32)).astype(np.uint32)  # the identity
    while exponent:
        if exponent & 1:
            found = _applied(columns, found)
        columns, exponent = _applied(columns, columns), exponent >> 1
    return found


_TABLE = _table()
_TABLE_LIST: list[int] = _TABLE.tolist()
_ONE_ZERO = _step(np.left_shift(1, np.arange(32)).astype(np.uint32), np.zeros(32, np.uint8))
"""What a byte of 0 does to a state, as a matrix."""
