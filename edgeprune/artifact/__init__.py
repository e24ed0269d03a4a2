"""From scheduled kernels to files that a board runs without any runtime."""

from edgeprune.artifact.build import build_artifact
from edgeprune.artifact.manifest import FileEntry, KernelEntry, Manifest

__all__ = ["FileEntry", "KernelEntry", "Manifest", "build_artifact"]
