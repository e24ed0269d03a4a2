"""Networks for TVM's own runtime: the Relax virtual machine's executable as a shared library."""

from edgeprune.vm_export.export import export_vm
from edgeprune.vm_export.manifest import VmManifest
from edgeprune.vm_export.run import run_vm

__all__ = ["VmManifest", "export_vm", "run_vm"]
