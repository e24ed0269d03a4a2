"""The idx file format of MNIST and its successors."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import UserError

_UNSIGNED_BYTE = 0x08


def parse_idx(content: bytes, source: str) -> NDArray[np.uint8]:
    """Return the array an idx file of unsigned bytes holds, in the shape its header gives.

    Raises:
        UserError: the header is not idx, the type is not unsigned byte, or the length does not fit the shape.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise UserError(f"{source}: not an idx file: the first two bytes must be zero")
    kind, dimensions = content[2], content[3]
    if kind != _UNSIGNED_BYTE:
        raise UserError(f"{source}: idx type 0x{kind:02x} is not supported, only unsigned bytes (0x08)")
    header = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < header:
        raise UserError(f"{source}: the idx header is cut short")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    wanted = int(np.prod(shape, dtype=np.int64))
    if len(content) - header != wanted:
        raise UserError(f"{source}: {wanted} values are announced for shape {shape}, {len(content) - header} follow")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
