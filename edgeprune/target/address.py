"""Where a board is and how it is reached: ``local``, ``qemu``, or a URL such as ``ssh://pi@camera:22``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

Way = Literal["local", "qemu", "ssh", "adb", "rpc", "tracker"]

# What may stand behind the question mark of each kind of address.
_SHARED = frozenset({"lock", "wait"})
_OPTIONS: Mapping[str, frozenset[str]] = {
    "ssh": _SHARED | {"directory"},
    "adb": _SHARED | {"directory"},
    "rpc": _SHARED,
    "tracker": _SHARED | {"priority"},
}
_FORMS: Mapping[str, str] = {
    "ssh": "ssh://[user@]host[:port]",
    "adb": "adb://[serial]",
    "rpc": "rpc://host:port[/key]",
    "tracker": "tracker://host:port/key",
}
_ADDRESS = re.compile(r"(?P<way>ssh|adb|rpc|tracker)://(?P<place>[^/?]*)(?:/(?P<key>[^?]*))?(?:\?(?P<options>.*))?")
_PLACE = re.compile(r"(?:(?P<user>[^@]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^:@\[\]]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class Address:
    """A board's address in its parts; ``text`` is the whole of it, as messages name the board.

    ``host`` is a name, an address or (adb) a serial number, empty for the only phone there is. ``key`` is an RPC
    server's or a tracker's. ``directory`` is where working directories are made on the board, empty for its usual
    place. With ``lock`` the board is held for one user at a time, for which ``wait`` seconds are waited at most;
    ``priority`` is that of a tracker's queue, higher before lower.
    """

    text: str
    way: Way
    host: str = ""
    user: str = ""
    port: int | None = None
    key: str = ""
    directory: str = ""
    lock: bool = True
    wait: float = 900.0
    priority: int = 1

    def __str__(self) -> str:
        return self.text

    @staticmethod
    def parse(text: str) -> Address:
        """Return the parts of ``text``.

        Raises:
            ValueError: it is no address; the message says what one looks like.
        """
        if text in ("local", "qemu"):
            return Address(text, "local" if text == "local" else "qemu")
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no way to a board; known: local, qemu, {', '.join(_FORMS.values())}")
        way = found["way"]
        parts = _place(way, found["place"], found["key"] or "", text)
        return Address(text=text, way=way, **parts, **_options(way, found["options"] or "", text))  # type: ignore[arg-type]


def split_address(name: str) -> tuple[str, str | None]:
    """Split ``rpi3@ssh://pi@camera`` into a target's name and an address; without one the second is ``None``."""
    found = re.search(r"@(?=(?:local|qemu)$|(?:ssh|adb|rpc|tracker)://)", name)
    return (name, None) if found is None else (name[: found.start()], name[found.end() :])


def _place(way: str, place: str, key: str, text: str) -> dict[str, object]:
    wrong = ValueError(f"{text!r}: not of the form {_FORMS[way]}")
    if way == "adb":
        # A phone reached over the network has a serial number with a colon: 192.168.1.5:5555.
        if key or place.startswith("-"):
            raise wrong
        return {"host": place}
    found = _PLACE.fullmatch(place)
    # A host that starts with a dash would be read as an option by ssh.
    if found is None or found["host"].startswith("-") or (found["user"] or "").startswith("-"):
        raise wrong
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{text!r}: port {port}: from 1 to 65535 is wanted")
    if way == "ssh":
        if key:
            raise ValueError(f"{text!r}: a directory is given as {text.partition('/' + key)[0]}?directory=/{key}")
        return {"host": found["host"].strip("[]"), "user": found["user"] or "", "port": port}
    if found["user"] or port is None or (way == "tracker" and not key):
        raise wrong
    return {"host": found["host"].strip("[]"), "port": port, "key": key}


def _options(way: str, query: str, text: str) -> dict[str, object]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(given) - _OPTIONS[way])
    if unknown:
        raise ValueError(f"{text!r}: unknown option {unknown[0]!r}; known: {', '.join(sorted(_OPTIONS[way]))}")
    readers: dict[str, Callable[[str], object]]
    readers = {"lock": _switch, "wait": _seconds, "priority": _number, "directory": _directory}
    values: dict[str, object] = {}
    for key, value in given.items():
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise ValueError(f"{text!r}: {key}={value}: {error}") from None
    return values


def _switch(value: str) -> bool:
    if value not in ("yes", "no"):
        raise ValueError("yes or no is wanted")
    return value == "yes"


def _seconds(value: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        raise ValueError("a number of seconds is wanted")
    return float(value)


def _number(value: str) -> int:
    if not re.fullmatch(r"-?\d+", value):
        raise ValueError("a whole number is wanted")
    return int(value)


def _directory(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("a path from the root is wanted")
    return value.rstrip("/") or "/"
