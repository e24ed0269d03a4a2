#!/usr/bin/env python3
"""Fetch a plugin-capable user-mode QEMU into edgeprune's cache, without root, unless one is here already.

Run it with the Python of edgeprune's environment: ``.venv/bin/python tools/fetch_qemu.py [--force]``.
"""

from __future__ import annotations

import sys

from edgeprune.emulation.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
