"""``python -m edgeprune.emulation``: make sure that a QEMU with plugins is here, without root on Debian or Ubuntu."""

from __future__ import annotations

import argparse
import sys

from edgeprune.emulation.fetch import fetch_qemu
from edgeprune.emulation.find import find_qemu
from edgeprune.emulation.qemu import Qemu
from edgeprune.emulation.unavailable import Unavailable

PROGRAMS = ("qemu-aarch64", "qemu-arm")


def main() -> int:
    """Fetch QEMU unless what is here suffices; print what was found; return the exit code."""
    parser = argparse.ArgumentParser(description="Make sure that a user-mode QEMU with plugins is here, without root.")
    parser.add_argument("--force", action="store_true", help="fetch even if a working QEMU with plugins is here")
    if parser.parse_args().force or not all(_suffices(program) for program in PROGRAMS):
        print("fetching qemu-user ...", flush=True)
        fetched = fetch_qemu()
        if isinstance(fetched, Unavailable):
            print(f"not fetched: {fetched.reason}; {fetched.mend}", file=sys.stderr)
    shown = [_show(program) for program in PROGRAMS]
    return 0 if all(shown) else 1


def _suffices(program: str) -> bool:
    found = find_qemu(program)
    return isinstance(found, Qemu) and found.plugins


def _show(program: str) -> bool:
    found = find_qemu(program)
    if isinstance(found, Unavailable):
        print(f"{program}: absent: {found.reason}")
        return False
    counting = "counts instructions" if found.plugins else "no plugins: outputs can be checked, nothing counted"
    print(f"{program}: {found.version} from {found.source} ({found.path}), {counting}")
    return True


if __name__ == "__main__":
    sys.exit(main())
