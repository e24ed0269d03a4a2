from __future__ import annotations

import re

import numpy as np
import pytest

from edgeprune.data.idx import parse_idx
from edgeprune.errors import UserError


def test_values_in_the_headers_shape() -> None:
    content = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30, 40, 50, 255])
    assert np.array_equal(parse_idx(content, "f"), np.array([[[10, 20, 30]], [[40, 50, 255]]], dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00", "f: not an idx file: the first two bytes must be zero"),
        (b"\0\0", "f: not an idx file: the first two bytes must be zero"),
        (b"\0\0\x0d\x01\0\0\0\0", "f: idx type 0x0d is not supported, only unsigned bytes (0x08)"),
        (b"\0\0\x08\x02\0\0\0\1", "f: the idx header is cut short"),
        (b"\0\0\x08\x01\0\0\0\3ab", "f: 3 values are announced for shape (3,), 2 follow"),
        (b"\0\0\x08\x01\0\0\0\1ab", "f: 1 values are announced for shape (1,), 2 follow"),
    ],
)
def test_refusals(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        parse_idx(content, "f")
