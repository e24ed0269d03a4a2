"""The library that a stock RPC server loads to run programs for us, linked for the server's platform."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.target import Target
from edgeprune.toolchain import toolchain_for

_SOURCE = Path(__file__).with_name("launcher.c")
_FLAGS = ["-std=c11", "-O2", "-fPIC", "-fvisibility=hidden"]


def launcher_for(target: Target) -> Path:
    """Return the launcher for ``target``'s RPC server; it is linked once and kept in the cache.

    Raises:
        UserError: the target's toolchain is not on this machine.
        StageFailure: it refuses.
    """
    toolchain = toolchain_for(target)
    facts = json.dumps([target.toolchain.model_dump(), toolchain.versions(), _SOURCE.read_text()], sort_keys=True)
    kept = cache_directory("rpc-launcher") / f"{hashlib.sha256(facts.encode()).hexdigest()[:24]}.so"
    if not kept.is_file():
        with tempfile.TemporaryDirectory(prefix="edgeprune-", dir=kept.parent) as scratch:
            compiled, linked = Path(scratch) / "launcher.o", Path(scratch) / "launcher.so"
            toolchain.compile(_SOURCE, compiled, _FLAGS)
            toolchain.link_shared([compiled], linked, ["-O2", "-s"])
            linked.replace(kept)
    return kept
