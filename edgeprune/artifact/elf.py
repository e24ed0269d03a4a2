"""Reading what an object file needs and how much code it holds, without binutils."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from edgeprune.errors import StageFailure

_MAGIC = b"\x7fELF"
_SYMBOL_TABLE = 2
_EXECUTABLE = 0x4
_UNDEFINED_SECTION = 0
_LOCAL, _WEAK = 0, 2


@dataclass(frozen=True)
class ObjectFile:
    """The symbols of an ELF object file that matter for linking, and the bytes of its executable sections."""

    undefined: frozenset[str]
    defined: frozenset[str]
    weak: frozenset[str]
    code_bytes: int


@dataclass(frozen=True)
class _Section:
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    entry_size: int


def read_object(path: Path) -> ObjectFile:
    """Return what the little-endian ELF object file at ``path`` defines and needs.

    Raises:
        StageFailure: the file is not such an object file, or is cut short.
    """
    data = path.read_bytes()
    if data[:4] != _MAGIC or len(data) < 52 or data[5] != 1:
        raise StageFailure(f"{path.name}: not a little-endian ELF file")
    try:
        return _parse(data, wide=data[4] == 2)
    except (struct.error, ValueError, IndexError, OverflowError):
        raise StageFailure(f"{path.name}: damaged ELF file") from None


def _parse(data: bytes, *, wide: bool) -> ObjectFile:
    sections = _sections(data, wide=wide)
    undefined: set[str] = set()
    defined: set[str] = set()
    weak: set[str] = set()
    for section in sections:
        if section.kind != _SYMBOL_TABLE:
            continue
        names = sections[section.link]
        for position in range(section.offset, section.offset + section.size, section.entry_size):
            name, binding, home = _symbol(data, position, names.offset, wide=wide)
            if binding == _LOCAL or not name:
                continue
            (undefined if home == _UNDEFINED_SECTION else defined).add(name)
            if binding == _WEAK:
                weak.add(name)
    code = sum(section.size for section in sections if section.flags & _EXECUTABLE)
    return ObjectFile(frozenset(undefined), frozenset(defined), frozenset(weak), code)


def _sections(data: bytes, *, wide: bool) -> list[_Section]:
    if wide:
        (start,) = struct.unpack_from("<Q", data, 0x28)
        size, count = struct.unpack_from("<HH", data, 0x3A)
    else:
        (start,) = struct.unpack_from("<I", data, 0x20)
        size, count = struct.unpack_from("<HH", data, 0x2E)
    layout = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    found = []
    for index in range(count):
        fields = struct.unpack_from(layout, data, start + index * size)
        _, kind, flags, _, offset, length, link, _, _, entry_size = fields
        found.append(_Section(kind, flags, offset, length, link, entry_size))
    return found


def _symbol(data: bytes, position: int, names: int, *, wide: bool) -> tuple[str, int, int]:
    if wide:
        name, info, _, home = struct.unpack_from("<IBBH", data, position)
    else:
        name, _, _, info, _, home = struct.unpack_from("<IIIBBH", data, position)
    start = names + name
    return data[start : data.index(b"\0", start)].decode("ascii"), info >> 4, home
