"""From a target file to the toolchain it asks for."""

from __future__ import annotations

from edgeprune.target import Target
from edgeprune.toolchain.drivers import ClangToolchain, GccToolchain, NdkToolchain
from edgeprune.toolchain.protocol import CToolchain
from edgeprune.toolchain.zig import ZigToolchain


def toolchain_for(target: Target) -> CToolchain:
    """Return the toolchain of ``target``'s ``toolchain.kind``.

    Raises:
        UserError: its programs are not on this machine; the key of the target file and the mend are named.
    """
    match target.toolchain.kind:
        case "zig":
            return ZigToolchain.for_target(target)
        case "gcc":
            return GccToolchain.for_target(target)
        case "clang":
            return ClangToolchain.for_target(target)
        case "ndk":
            return NdkToolchain.for_target(target)
