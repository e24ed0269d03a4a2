"""Compilers and linkers for boards: the one that pip installs, which needs nothing else, or the user's own."""

from edgeprune.toolchain.choose import toolchain_for
from edgeprune.toolchain.protocol import CToolchain
from edgeprune.toolchain.zig import ZigToolchain, zig_version

__all__ = ["CToolchain", "ZigToolchain", "toolchain_for", "zig_version"]
