"""The C compiler and linker that pip installs: no system toolchain is needed anywhere."""

from edgeprune.toolchain.zig import ZigToolchain, zig_version

__all__ = ["ZigToolchain", "zig_version"]
