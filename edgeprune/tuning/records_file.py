"""Tuning records as one file, to carry from machine to machine: a zip with the database's own files in it."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path

import tvm

from edgeprune.errors import UserError
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import Descriptor
from edgeprune.tuning.merge import Merged, merge

# Equal records give equal bytes, whenever they are exported.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_MOST_BYTES = 1 << 30


def export_records(source: Database, file: Path, workloads: Collection[str] | None = None) -> Merged:
    """Write the trials of ``source`` (of ``workloads`` only, if given) to ``file`` and return how many.

    Raises:
        UserError: there are no trials to write.
    """
    with tempfile.TemporaryDirectory(prefix="edgeprune-records-") as scratch:
        copy = Path(scratch) / "records"
        merged = merge(source, Database(copy, Descriptor.read(source.directory)), workloads)
        if not merged.added:
            raise UserError(f"{source.directory}: no trials to export; 'edgeprune tune MODEL.onnx' makes them")
        unfinished = file.with_name(file.name + ".unfinished")
        with zipfile.ZipFile(unfinished, "w") as archive:
            for path in sorted(copy.iterdir()):
                if path.suffix in (".json", ".jsonl"):
                    entry = zipfile.ZipInfo(path.name, _TIMESTAMP)
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        unfinished.replace(file)
    return merged


def import_records(file: Path, root: Path) -> tuple[Descriptor, Merged]:
    """Add the trials in ``file`` to their device's database under ``root``; return whose they are and how many.

    Raises:
        UserError: the file is damaged, or its records were made by another TVM, whose kernels differ.
        StageFailure: the disk is full; what was added stays.
    """
    with tempfile.TemporaryDirectory(prefix="edgeprune-records-") as scratch:
        _unpack(file, Path(scratch))
        descriptor = Descriptor.read(Path(scratch))
        if descriptor.tvm != tvm.__version__:
            raise UserError(f"{file}: records of TVM {descriptor.tvm}; this is TVM {tvm.__version__}: tune again")
        source = Database(Path(scratch), descriptor)
        if source.dropped_bytes:
            raise UserError(f"{file}: a record in it is cut off; export it again")
        return descriptor, merge(source, Database(descriptor.directory(root), descriptor))


def read_descriptor(file: Path) -> Descriptor:
    """Return whose records are in ``file``.

    Raises:
        UserError: the file is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="edgeprune-records-") as scratch:
        _unpack(file, Path(scratch))
        return Descriptor.read(Path(scratch))


def _unpack(file: Path, directory: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise UserError(f"{file}: more than {_MOST_BYTES >> 20} MiB of records; this is no export of edgeprune")
            for entry in entries:
                # Names only: a path in the archive must not reach outside the directory.
                (directory / Path(entry.filename).name).write_bytes(archive.read(entry))
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise UserError(f"{file}: not a file of tuning records ({error}); 'edgeprune tune export' makes one") from None
