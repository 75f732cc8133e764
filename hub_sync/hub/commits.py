"""Commits and their files, as they are read from disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from medimg.hub_sync.hub.refusals import Json, entry_not_found

_GITATTRIBUTES_LFS = (
    "*.7z *.arrow *.avro *.bin *.bz2 *.ckpt *.dcm *.feather *.ftz *.gz *.h5 *.hdf5 *.jpeg *.jpg *.joblib "
    "*.lz4 *.mha *.mp3 *.mp4 *.msgpack *.nii *.nrrd *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl "
    "*.png *.pt *.pth *.rar *.safetensors *.svs *.tar *.tgz *.tif *.tiff *.wav *.webm *.webp *.xz *.zip *.zst"
).split()
GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _GITATTRIBUTES_LFS)
LFS_SUFFIXES = frozenset(pattern.removeprefix("*") for pattern in _GITATTRIBUTES_LFS)


@dataclass(frozen=True)
class CommittedFile:
    """One file of a commit. `oid` is the git blob id: of the content, or of the pointer for LFS files."""

    sha256: str
    size: int
    lfs: bool
    oid: str

    @property
    def pointer(self) -> Json:
        """Sizes of an LFS file, as clients expect them."""
        return {"size": self.size, "pointerSize": len(lfs_pointer(self.sha256, self.size))}


@dataclass(frozen=True)
class Listed:
    """One line of a listing: a file, or a folder where `file` is None."""

    path: str
    oid: str
    file: CommittedFile | None


@dataclass(frozen=True)
class Commit:
    """An immutable revision: every file with its content's digest."""

    id: str
    parent: str | None
    message: str
    description: str
    time: str
    files: Mapping[str, CommittedFile] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def file(self, path: str) -> CommittedFile:
        """Return a file; refuses a path that does not exist."""
        if path not in self.files:
            raise entry_not_found(path, self.id)
        return self.files[path]

    def listing(self, folder: str = "", *, recursive: bool = False) -> list[Listed]:
        """List files and folders below a folder, sorted by path; refuses a folder that does not exist."""
        prefix = f"{folder}/" if folder else ""
        found: dict[str, Listed] = {}
        below: dict[str, list[str]] = {}
        for path, file in self.files.items():
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if recursive else min(2, len(parts))):
                below.setdefault(prefix + "/".join(parts[:depth]), []).append(f"{path}\0{file.oid}")
            if recursive or len(parts) == 1:
                found[path] = Listed(path, file.oid, file)
        if folder and not found and not below:
            raise entry_not_found(folder, self.id)
        for path, lines in below.items():
            found[path] = Listed(path, hashlib.sha1("\n".join(sorted(lines)).encode()).hexdigest(), None)
        return [found[path] for path in sorted(found)]


def lfs_pointer(sha256: str, size: int) -> bytes:
    """Return the LFS pointer file that stands for a content."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@lru_cache(maxsize=64)
def load_commit(path: Path, changed: int, inode: int) -> Commit:
    """The commit of a JSON file, read once for each state of it."""
    value = json.loads(path.read_bytes())
    files = {name: CommittedFile(**file) for name, file in value.pop("files").items()}
    return Commit(id=path.stem, files=files, **value)


def commit_id(value: Json) -> str:
    """The id that its JSON gives to a commit."""
    return hashlib.sha1(json.dumps(value, sort_keys=True).encode()).hexdigest()
