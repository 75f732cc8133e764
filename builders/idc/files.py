"""The Imaging Data Commons as an fsspec file system over its public buckets.

`idc://<collection>/<PatientID>/<StudyInstanceUID>/<Modality>_<SeriesInstanceUID>/<instance>.dcm`: the tree is that of a
download with idc-index. Folders come from the index on this machine; what a series holds is asked of its bucket when
the series is reached, and its files are fetched several at a time, since single requests to S3 take longer than the
bytes of a slice. Series without images (reports, plans, presentation states) are left out.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from fsspec.spec import AbstractFileSystem

from medimg.builders.idc import index
from medimg.errors import SourceError

WHOLE = 8 << 20
"""Larger files (enhanced multi-frame objects, slides) are read by ranges."""
AHEAD = 32
"""Most files of a series that are asked for at once."""
AHEAD_BYTES = 32 << 20
LISTS = 16
"""Series that are listed at once."""
CACHE = 256 << 20
"""Bytes of whole files that are kept: headers are read before pixels."""


class FileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Read-only. Options go to s3fs, e.g. `endpoint_url`; access is anonymous unless they say else."""

    protocol = "idc"

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = options
        self._trees: dict[str, dict[str, dict[str, dict[str, index.ListedSeries]]]] = {}
        self._listed: dict[str, dict[str, dict[str, Any]]] = {}
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._held = 0
        self._s3: Any = None
        self._lock = threading.RLock()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(path).removeprefix("idc://").strip("/")

    def _bucket(self) -> Any:
        with self._lock:
            if self._s3 is None:
                import s3fs

                credentials = {"key", "secret", "token", "profile", "session", "anon"}
                options = dict(self._options)
                if not options.keys() & credentials:
                    options["anon"] = True
                self._s3 = s3fs.S3FileSystem(**options)
            return self._s3

    def _tree(self, collection: str) -> dict[str, dict[str, dict[str, index.ListedSeries]]]:
        """Patient -> study -> folder of a series -> the series."""
        with self._lock:
            if collection not in self._trees:
                tree: dict[str, dict[str, dict[str, index.ListedSeries]]] = {}
                for one in index.series(index.parse(collection)):
                    patient, study, folder = one.folder.split("/")
                    tree.setdefault(patient, {}).setdefault(study, {})[folder] = one
                self._trees[collection] = tree
            return self._trees[collection]

    def _find_in_tree(self, path: str) -> Any:
        """A dictionary of the tree or a series; KeyError where there is none."""
        node: Any = None
        for n, part in enumerate(self._strip_protocol(path).split("/")):
            node = self._tree(part) if n == 0 else node[part]
        return node

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Entries of a folder."""
        path = self._strip_protocol(path)
        if not path:
            found = [_folder(name) for name in index.collections()]
        else:
            node = self._node(path)
            if isinstance(node, dict):
                found = [_folder(f"{path}/{name}") for name in node]
            elif isinstance(node, index.ListedSeries):
                found = list(self._instances(path, node).values())
            else:
                found = [node]
        return found if detail else [one["name"] for one in found]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """What one path is."""
        path = self._strip_protocol(path)
        node = self._node(path) if path else {}
        if isinstance(node, dict) and node.get("type") == "file":
            return node
        return _folder(path)

    def _node(self, path: str) -> Any:
        """A folder of the tree, a series, or the entry of a file."""
        try:
            return self._find_in_tree(path)
        except (KeyError, TypeError):
            pass
        folder, _, name = path.rpartition("/")
        try:
            series = self._find_in_tree(folder) if folder else None
        except (KeyError, TypeError):
            series = None
        if isinstance(series, index.ListedSeries) and (one := self._instances(folder, series).get(name)) is not None:
            return one
        raise FileNotFoundError(path)

    def find(self, path: str, *args: Any, **kwargs: Any) -> Any:
        """All files below a folder; the series are listed several at a time."""
        pending, leaves = [self._strip_protocol(path)], []
        while pending:
            folder = pending.pop()
            node = self._node(folder)
            if isinstance(node, index.ListedSeries):
                leaves.append((folder, node))
            elif "type" not in node:
                pending += [f"{folder}/{name}" for name in node]
        with ThreadPoolExecutor(LISTS, thread_name_prefix="idc") as pool:
            list(pool.map(lambda leaf: self._instances(*leaf), leaves))
        return super().find(path, *args, **kwargs)

    def _instances(self, path: str, series: index.ListedSeries) -> dict[str, dict[str, Any]]:
        """Entries of a series by file name, in order; `place` counts them."""
        if path not in self._listed:
            try:
                listed = self._bucket().ls(series.address, detail=True)
            except FileNotFoundError as error:
                raise SourceError(
                    f"the index (version {index.version()}) has this series, its bucket does not",
                    file=f"{path} ({series.address})",
                    next_step="update the index: pip install -U idc-index-data",
                ) from error
            files = {one["name"].rpartition("/")[2]: one for one in listed if one["type"] == "file"}
            self._listed[path] = {
                name: {
                    "name": f"{path}/{name}",
                    "size": files[name]["size"],
                    "type": "file",
                    "ETag": files[name].get("ETag"),
                    "key": files[name]["name"],
                    "place": place,
                }
                for place, name in enumerate(sorted(files))
            }
        return self._listed[path]

    def ukey(self, path: str) -> str:
        """Digest of the addresses of all series below a folder, which change with every revision; asks no bucket."""
        digest = hashlib.sha256()
        pending = [self._node(self._strip_protocol(path))]
        while pending:
            node = pending.pop()
            if isinstance(node, index.ListedSeries):
                digest.update(f"{node.folder}\0{node.address}\n".encode())
            elif node.get("type") == "file":
                digest.update(f"{node['name']}\0{node['ETag']}\n".encode())
            else:
                pending += [node[name] for name in sorted(node, reverse=True)]
        return digest.hexdigest()

    def _open(self, path: str, mode: str = "rb", block_size: Any = None, **kwargs: Any) -> Any:
        if mode != "rb":
            raise NotImplementedError("the Imaging Data Commons is read only")
        entry = self._node(self._strip_protocol(path))
        if not (isinstance(entry, dict) and entry.get("type") == "file"):
            raise IsADirectoryError(path)
        if entry["size"] > WHOLE:
            return self._bucket().open(entry["key"], "rb", block_size=block_size, **kwargs)
        return io.BytesIO(self._bytes(entry))

    def _bytes(self, entry: dict[str, Any]) -> bytes:
        """A small file; the files behind it in its series are fetched with it once its neighbor was asked for."""
        with self._lock:
            if entry["key"] in self._kept:
                self._kept.move_to_end(entry["key"])
                return self._kept[entry["key"]]
            wanted, total = [entry["key"]], entry["size"]
            beside, place = self._listed[entry["name"].rpartition("/")[0]].values(), entry["place"]
            before, *behind = islice(beside, max(place - 1, 0), place + AHEAD)
            if place and before["key"] in self._kept:
                for one in behind[1:]:
                    total += one["size"]
                    if total > AHEAD_BYTES or one["key"] in self._kept:
                        break
                    wanted.append(one["key"])
            fetched = self._bucket().cat(wanted, on_error="return") if len(wanted) > 1 else {}
            data: Any = fetched.pop(entry["key"], None)
            if not isinstance(data, bytes):  # alone, so that its own error is told
                data = self._bucket().cat_file(entry["key"])
            for key, value in [(entry["key"], data), *fetched.items()]:
                if isinstance(value, bytes):
                    self._kept[key] = value
                    self._held += len(value)
            while self._held > CACHE and len(self._kept) > 1:
                self._held -= len(self._kept.popitem(last=False)[1])
            return bytes(data)


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}
