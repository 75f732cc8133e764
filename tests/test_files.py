"""The view on a source: equal however the source is packed, and safe against what strangers pack."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import importlib
import importlib.util
import io
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest
from huggingface_hub import HfApi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medimg.errors import (
    ArchiveError,
    BombError,
    ChecksumError,
    FormatError,
    MedimgError,
    MissingExtraError,
    SourceError,
    UnsafePathError,
)
from medimg.files import File, Files, Limits, blobs, checksums, decoders, inflate, names, remote
from medimg.files.limits import CHECKPOINT_BYTES, Budget
from tests.servers import Bucket, WebServer, s3, web

Tree = Mapping[str, bytes]
MiB = blobs.MiB


@pytest.fixture(scope="module")
def served() -> Iterator[WebServer]:
    with web() as server:
        yield server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(remote, "BACKOFF", 0.0)
    with web() as server:
        yield server


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    pytest.importorskip("s3fs")
    with s3() as one:
        yield one


def zipped(tree: Tree, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for path, data in tree.items():
            archive.writestr(path, data)
    return sink.getvalue()


def tarred(tree: Tree, mode: str = "w") -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:  # type: ignore[call-overload]
        for path, data in tree.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def special(*members: tuple[str, bytes, str], tree: Tree | None = None) -> bytes:
    """A tar with members of any type: (name, type, link target)."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for path, data in (tree or {}).items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = link
            archive.addfile(info)
    return sink.getvalue()


def planted(root: Path, tree: Tree) -> Path:
    for path, data in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return root


def saved(folder: Path, name: str, data: bytes) -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def content(files: Files) -> dict[str, bytes]:
    return {file.path: file.read() for file in files}


def noise(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()


def texture(size: int, seed: int = 0) -> bytes:
    """Bytes that compress about twofold."""
    return np.random.default_rng(seed).integers(0, 16, size, dtype=np.uint8).tobytes()


def source(**fields: Any) -> Any:
    return SimpleNamespace(**{"path": None, "sha256": None, "md5": None, "size": None, "kind": "file"} | fields)


TREE = {
    "imagesTr/volume-10.nii.gz": noise(3000),
    "imagesTr/volume-2.nii.gz": b"two",
    "labels/Ünïcode name.png": b"",
    "README.txt": b"hello",
}

# ------------------------------------------------------------------------------------------------ equal views

NAMES = st.sampled_from(["a", "b", "case-1", "case-2", "case-10", "scan.nii.gz", "table.csv", "ü ö.png", "x y"])
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), min_size=1, max_size=7
).filter(lambda tree: not any(other.startswith(path + "/") for path in tree for other in tree))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tree=TREES, wrap=st.booleans(), seed=st.integers(0, 99))
def test_a_view_does_not_depend_on_the_packing(served: WebServer, tree: Tree, wrap: bool, seed: int) -> None:
    packed = {f"data/{path}": data for path, data in tree.items()} if wrap else tree
    flat = zipped(packed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        memory = fsspec.filesystem("memory")
        memory.store.clear()
        memory.pipe({f"/case/root/{path}": data for path, data in packed.items()} | {"/case/data.zip": flat})
        served.files = {"data.zip": flat, "data.tar.gz": tarred(packed, "w:gz")}
        sources: list[Any] = [
            planted(root / "folder", packed),
            saved(root, "flat/any.zip", flat),
            saved(root, "stored/data.zip", zipped(packed, zipfile.ZIP_STORED)),
            saved(root, "outer1/outer.zip", zipped({"data.zip": flat}, zipfile.ZIP_STORED)),
            saved(root, "outer2/outer.zip", zipped({"data.zip": flat, "__MACOSX/data/._x": b"junk"})),
            saved(root, "inner/data.zip", flat).parent,
            saved(root, "data.tar", tarred(packed)),
            saved(root, "data.tar.gz", tarred(packed, "w:gz")),
            saved(root, "data.tgz", tarred({f"./{path}": data for path, data in packed.items()}, "w:gz")),
            saved(root, "data.tar.bz2", tarred(packed, "w:bz2")),
            saved(root, "data.txz", tarred(packed, "w:xz")),
            saved(root, "mixed.zip", zipped({"data.tar.gz": tarred(packed, "w:gz")})),
            served.url("data.zip"),
            served.url("data.tar.gz"),
            "memory://case/root",
            "memory://case/data.zip",
            [source(url=served.url("data.zip"))],
        ]
        first: dict[str, bytes] | None = None
        for where in sources:
            with Files.open(where, dataset="phantom") as files:
                found = content(files)
                assert all(file.size == len(found[file.path]) for file in files)
                assert sorted(found.values()) == sorted(tree.values())
                assert first is None or list(found.items()) == list(first.items()), where
                assert sorted(file.path for (file,) in files.stream("")) == sorted(found)
                first = first or found
                order = list(files)
                random.Random(seed).shuffle(order)
                for file in order:
                    with file.open() as stream:
                        middle = len(found[file.path]) // 2
                        stream.seek(middle)
                        assert stream.read() == found[file.path][middle:]
                        stream.seek(0)
                        assert stream.read(3) == found[file.path][:3]
                assert files.opened == set(found)


def test_the_root_and_the_archives_disappear_from_paths(tmp_path: Path) -> None:
    saved(tmp_path, "set/train.zip", zipped({"train/1.png": b"1", "train/2.png": b"2"}))
    saved(tmp_path, "set/test.zip", zipped({"3.png": b"3"}))
    saved(tmp_path, "set/mixed.tar.gz", tarred({"mixed/4.png": b"4", "5.png": b"5"}, "w:gz"))
    saved(tmp_path, "set/table.csv.gz", gzip.compress(b"a,b", mtime=0))
    planted(
        tmp_path / "set",
        {"train/1.png": b"unpacked", ".git/config": b"", "._x": b"", "Thumbs.db": b"", "a/.DS_Store": b""},
    )
    (tmp_path / "set/empty").mkdir()
    files = Files.open(tmp_path)
    assert content(files) == {
        "mixed/5.png": b"5",
        "mixed/mixed/4.png": b"4",
        "table.csv.gz": gzip.compress(b"a,b", mtime=0),
        "test/3.png": b"3",
        "train/1.png": b"unpacked",
        "train/2.png": b"2",
    }


def test_lookup(tmp_path: Path) -> None:
    files = Files.open(planted(tmp_path, TREE), dataset="phantom")
    assert [file.path for file in files] == [
        "README.txt", "imagesTr/volume-2.nii.gz", "imagesTr/volume-10.nii.gz", "labels/Ünïcode name.png",
    ]  # fmt: skip
    assert [(file.name, case) for file, case in files.match(r"volume-(\d+)\.nii(?:\.gz)?$")] == [
        ("volume-2.nii.gz", "2"),
        ("volume-10.nii.gz", "10"),
    ]
    assert not list(files.match("VOLUME")) and len(list(files.match("(?i)VOLUME"))) == 2
    readme = files.need("README")
    assert (readme.path, readme.stem, readme.suffix, readme.parent) == ("README.txt", "README", ".txt", "")
    scan = files.get("imagesTr/volume-2.nii.gz")
    assert scan and (scan.stem, scan.suffix, scan.parent, scan.size) == ("volume-2", ".nii.gz", "imagesTr", 3)
    assert scan.sibling("volume-10.nii.gz") == files.get("imagesTr/volume-10.nii.gz") and scan.sibling("x") is None
    assert len(files) == 4 and "README.txt" in files and scan in files and "x" not in files
    assert files.get(None) is None and files.find("nothing") is None
    assert len({scan, *files}) == 4 and sorted(reversed(list(files))) == list(files)
    index = files.index(r"volume-(\d+)")
    assert index["10"].name == "volume-10.nii.gz" and index.get("7") is None
    assert list(files.index(r"^(\w+)/(.*)-(?P<case>\d+)", key=(1, "case"))) == [
        ("imagesTr", "2"),
        ("imagesTr", "10"),
    ]
    for failing, words in (
        (lambda: index["7"], ["phantom", "'7'", "volume"]),
        (
            lambda: files.need("nothing", "look elsewhere"),
            ["phantom", "'nothing'", "README.txt", "look elsewhere"],
        ),
        (lambda: files.find("volume"), ["phantom", "volume-2.nii.gz", "volume-10.nii.gz"]),
        (lambda: files.index(r"(volume)"), ["phantom", "volume-2.nii.gz", "volume-10.nii.gz"]),
        (lambda: files.need("volume-10").read(limit=10), ["phantom", "volume-10", "10 bytes"]),
    ):
        with pytest.raises(SourceError) as caught:
            failing()
        assert all(word in str(caught.value) for word in words) and caught.value.next_step
    again = pickle.loads(pickle.dumps(scan))
    assert again == scan and again.read() == b"two" and len(pickle.loads(pickle.dumps(files))) == 4
    assert File("a/b.MHD", lambda: io.BytesIO(b"x")).read() == b"x"


def test_an_unreadable_kind_of_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"data.rar is an archive that must be unpacked"):
        Files.open(planted(tmp_path, {"data.rar": b"Rar!"})).need("png")


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"phantom.*does not exist.*Next"):
        Files.open(tmp_path / "nowhere.zip", dataset="phantom")
    with pytest.raises(SourceError, match=r"phantom: ~nobody-of-this-name/x: begins with ~.*Next: "):
        Files.open("~nobody-of-this-name/x", dataset="phantom")
    with pytest.raises(SourceError, match="does not exist"):
        Files.open("a\0b")
    with pytest.raises(SourceError, match="no file that can be fetched"):
        Files.open([source(url="https://example.org", kind="page")])


# ---------------------------------------------------------------------------------------- in place, at random


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of bytes read from local archives."""
    counts: list[int] = []
    original = blobs.LocalBlob.read_at

    def read_at(self: blobs.LocalBlob, offset: int, count: int) -> bytes:
        data = original(self, offset, count)
        counts.append(len(data))
        return data

    monkeypatch.setattr(blobs.LocalBlob, "read_at", read_at)
    return counts


def test_stream_decompresses_once_and_seeks_afterwards(tmp_path: Path, counted: list[int]) -> None:
    tree = {f"set/case-{n}.raw": texture(1_500_000 + n, n) for n in range(14)}
    where = saved(tmp_path, "set.tar.gz", tarred(tree, "w:gz"))
    files = Files.open(where)
    first = next(iter(files.stream("")))[0]
    assert first.path == "case-0.raw" and sum(counted) < 500_000
    for (file,) in Files.open(where).stream("[02468].raw$"):
        assert file.read() == tree[f"set/{file.path}"]
    assert sum(counted) < where.stat().st_size * 1.05 + 500_000
    assert len(files) == 14 and not files.notes  # listed to the end, the folder was guessed right
    counted.clear()
    for n in (13, 0, 7):
        assert files.index(r"case-(\d+)")[str(n)].read() == tree[f"set/case-{n}.raw"]
    assert sum(counted) < where.stat().st_size * 0.75  # the states kept on the way spare the rest


@pytest.fixture
def without_zlib_ng(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The decoders as they are where zlib-ng is not installed."""
    monkeypatch.setitem(sys.modules, "zlib_ng", None)
    spec = importlib.util.find_spec(decoders.__name__)
    assert spec and spec.loader
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert plain.engine is zlib and decoders.engine is not zlib
    return plain


def test_zlib_ng_gives_the_bytes_that_zlib_gives(without_zlib_ng: ModuleType) -> None:
    data = texture(3_000_000, 1) + noise(100_000, 2)
    packed = gzip.compress(data, 6) + gzip.compress(data[:500], 1)
    damaged = packed[: len(packed) // 2] + b"?" + packed[len(packed) // 2 + 1 :]
    for one in (decoders, without_zlib_ng):
        assert one.decoded(packed, 1 << 30) == data + data[:500]
        assert one.beginning(one.CODECS["gzip"], packed[:2000], 700) == data[:700]
        with pytest.raises(BombError):
            one.decoded(packed, len(data))
        for bad in (damaged, packed[:-4], b"no gzip"):
            with pytest.raises(FormatError, match=r"data (are damaged|end too early)"):
                one.decoded(bad, 1 << 30)
        assert [one.exceeds(one.CODECS["gzip"], [packed], len(data) - n) for n in (0, 1)] == [False, True]
        decoder = one.CODECS["gzip"].start()
        first, rest = decoder.decode(packed, 1_000_000)
        again = decoder.copy()
        assert decoder.decode(rest, 1 << 30) == again.decode(rest, 1 << 30) and first == data[:1_000_000]


def test_memory_of_checkpoints_is_bounded(tmp_path: Path) -> None:
    tree = {f"{n}.raw": bytes(8 << 20) for n in range(12)}
    inner = {f"{name}.tar.gz": tarred(tree, "w:gz") for name in ("a", "b")}
    files = Files.open(planted(tmp_path, inner), limits=Limits(memory=0))
    assert len(files) == 24
    assert files.need("b/7").read() == bytes(8 << 20)


def test_checkpoints_of_all_archives_share_their_memory() -> None:
    budget = Budget(Limits(memory=10 * CHECKPOINT_BYTES))
    source = blobs.BytesBlob(gzip.compress(texture(24 << 20, 1), 1))
    archives = [inflate.Decompressed(source, decoders.CODECS["gzip"], budget) for _ in range(3)]
    for archive in archives:
        for offset in range(0, 24 << 20, 4 * MiB):
            archive.read_at(offset, 4 * MiB)
        assert 3 <= len(archive.points) <= sum(len(one.points) for one in archives) <= 10


def test_a_view_keeps_the_paths_it_has_streamed(tmp_path: Path) -> None:
    right = Files.open(saved(tmp_path, "set.tar.gz", tarred({"set/a": b"1", "note": b"2"}, "w:gz")))
    assert [file.path for (file,) in right.stream("")] == ["a", "note"]
    assert content(right) == {"a": b"1", "note": b"2"} and "root" in right.notes[0][1]
    two = tarred({"train/a": b"1", "test/b": b"2"}, "w:gz")
    files = Files.open(saved(tmp_path, "pair.tar.gz", two))
    assert [file.path for (file,) in files.stream("")] == ["train/a", "test/b"]
    assert sorted(content(files)) == ["test/b", "train/a"] and not files.notes
    nested = Files.open(planted(tmp_path / "n", {"p.tar.gz": two, "q.tgz": tarred({"q/c": b"3", "q/d": b"4"}, "w:gz")}))
    assert [file.path for (file,) in nested.stream("")] == ["p/train/a", "p/test/b", "q/c", "q/d"]
    assert sorted(content(nested)) == ["p/test/b", "p/train/a", "q/c", "q/d"] and not nested.notes


@pytest.mark.parametrize("name", ["set.tar.gz", "set.zip", "outer.zip", "set.tar.bz2"])
def test_members_open_at_once_do_not_disturb_one_another(tmp_path: Path, name: str) -> None:
    size = 150_000 if "bz2" in name else 700_000
    tree = {f"{n}.raw": texture(size, n) for n in range(4)}
    pack = {
        "set.tar.gz": lambda: tarred(tree, "w:gz"),
        "set.zip": lambda: zipped(tree),
        "outer.zip": lambda: zipped({"set.zip": zipped(tree, zipfile.ZIP_STORED)}),
        "set.tar.bz2": lambda: tarred(tree, "w:bz2"),
    }
    files = Files.open(saved(tmp_path, name, pack[name]()))
    streams = [(file, file.open(), bytearray()) for file in files]
    for _ in range(size // 99_991 + 1):
        for _, stream, sink in streams:
            sink += stream.read(99_991)
    assert all(bytes(sink) == tree[file.path] for file, _, sink in streams)
    wrong: list[str] = []

    def read(seed: int) -> None:
        for file in random.Random(seed).sample(list(files), 4):
            if file.read() != tree[file.path]:
                wrong.append(file.path)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_deflated_inner_archive_is_read_in_place(tmp_path: Path) -> None:
    tree = {f"{n}.raw": texture(3_000_000, n) for n in range(5)}
    where = saved(tmp_path, "outer.zip", zipped({"set.zip": zipped(tree, zipfile.ZIP_STORED)}))
    files = Files.open(where, limits=Limits(memory=0))
    assert files.need("4.raw").read() == tree["4.raw"] and files.need("0.raw").read() == tree["0.raw"]
    squeezed = saved(tmp_path, "bz2.zip", zipped({"set.zip": zipped(TREE)}, zipfile.ZIP_BZIP2))
    assert len(Files.open(squeezed)) == 4
    with pytest.raises(ArchiveError, match="unpack the outer archive once"):
        len(Files.open(squeezed, limits=Limits(memory=100)))


def test_gzip_streams_one_after_another_and_padding(tmp_path: Path) -> None:
    data = tarred(TREE)
    half = len(data) // 2
    joined = gzip.compress(data[:half]) + bytes(700) + gzip.compress(data[half:]) + bytes(9000)
    assert len(Files.open(saved(tmp_path, "two.tar.gz", joined))) == 4
    joined = bz2.compress(data[:half]) + bz2.compress(data[half:])
    assert content(Files.open(saved(tmp_path, "two.tar.bz2", joined)))["README.txt"] == b"hello"


def test_zip64_comment_prefix_and_old_names(tmp_path: Path) -> None:
    sink = io.BytesIO(b"#!/bin/sh\n")
    sink.seek(0, 2)
    with zipfile.ZipFile(sink, "a") as archive:
        archive.comment = b"a comment"
        with archive.open("big.raw", "w", force_zip64=True) as member:
            member.write(b"abc")
    assert content(Files.open(saved(tmp_path, "a.zip", sink.getvalue()))) == {"big.raw": b"abc"}
    flagless = zipped({"ü.png": b"1"})
    flags = flagless.index(b"PK\1\2") + 8
    flagless = flagless[:flags] + b"\0\0" + flagless[flags + 2 :]
    assert list(content(Files.open(saved(tmp_path, "b.zip", flagless)))) == ["ü.png"]
    assert list(content(Files.open(saved(tmp_path, "c.zip", zip64_directory({"x": b"1"}))))) == ["x"]


def zip64_directory(tree: Tree) -> bytes:
    """The end records that archives of more than 65,535 members have."""
    data = zipped(tree, zipfile.ZIP_STORED)
    end = data.rindex(b"PK\5\6")
    _, _, _, count, size, offset, _ = struct.unpack("<4HLLH", data[end + 4 : end + 22])
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    return (
        data[:end]
        + record
        + locator
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    )


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = saved(tmp_path / "in", "outer.zip", zipped({"set.tar.gz": tarred(TREE, "w:gz"), "s.zip": zipped(TREE)}))
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    assert len(content(Files.open(where))) == 8
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "in", where, tmp_path / "temp"]


def test_many_archives_do_not_use_up_file_handles(tmp_path: Path) -> None:
    for n in range(100):
        saved(tmp_path, f"{n}.zip", zipped({"a.png": b"%d" % n}))
    files, before = Files.open(tmp_path), len(list(Path("/proc/self/fd").iterdir()))
    assert {file.read() for file in files} == {b"%d" % n for n in range(100)}
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 64
    files.close()
    assert files.need("^7/").read() == b"7"


# -------------------------------------------------------------------------------------------------- addresses


def test_one_member_of_a_large_zip_costs_a_small_part_of_it(server: WebServer) -> None:
    tree = {f"{n}.raw": noise(100_000, n) for n in range(200)}
    server.files["big.zip"] = zipped(tree, zipfile.ZIP_STORED)
    with Files.open(server.url("big.zip")) as files:
        assert len(files) == 200
        listing = server.sent
        assert files.need("^77.raw").read() == tree["77.raw"]
        assert server.sent - listing < 1.2e6 and server.sent < 2.5e6
        for _, file in zip(range(60), files, strict=False):
            file.read()
        assert len(server.requests) < 30  # neighbours share requests
        assert server.sent < 12e6


def test_trouble_on_the_way_is_tried_again(server: WebServer) -> None:
    server.files["a.zip"] = zipped(TREE)
    server.fail = 2
    assert content(Files.open(server.url("a.zip"))) == TREE


def test_a_server_that_cuts(server: WebServer) -> None:
    server.files["a.zip"] = zipped({"a.raw": noise(900_000)})
    server.cut = 1000
    with pytest.raises(SourceError, match=r"phantom.*a.zip.*Next.*download the file once"):
        len(Files.open(server.url("a.zip"), dataset="phantom"))


@pytest.mark.parametrize("size", [True, False])
def test_a_server_without_ranges(server: WebServer, size: bool) -> None:
    tree = {f"set/{n}.raw": noise(400_000, n) for n in range(4)}
    server.files = {
        "set.zip": zipped(tree),
        "set.tar.gz": tarred(tree, "w:gz"),
        "t.csv": b"a,b",
        "set.tar": tarred(tree),
    }
    server.ranges = False
    server.size = size
    small = Limits(memory=600_000)
    assert Files.open(server.url("t.csv")).need("csv").read() == b"a,b"
    assert len(Files.open(server.url("set.zip"))) == 4  # fits into memory
    with pytest.raises(SourceError, match=r"set.zip.*range|set.zip.*size") as caught:
        len(Files.open(server.url("set.zip"), limits=small))
    assert "wget" in str(caught.value)
    server.requests.clear()
    files = Files.open(server.url("set.tar.gz"), limits=small)
    for file, n in files.stream(r"(\d)\.raw"):
        assert file.read() == tree[f"set/{n}.raw"]
    assert [verb for verb, _, _ in server.requests].count("GET") <= 3  # two to find out, one for all the rest
    with pytest.raises(SourceError, match="once and forward"):
        files.need("0.raw").read()


def test_pages_instead_of_files(server: WebServer, tmp_path: Path) -> None:
    page = b"\n<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title>"
    server.files = {"a.zip": page, "b.zip": page, "a.tar.gz": page, "t.csv": page, "uc": page}
    server.types = {"a.zip": "text/html", "t.csv": "text/html"}
    for name in server.files:
        with pytest.raises(ArchiveError, match=r"HTML page.*Next: open the address in a browser"):
            content(Files.open(server.url(name)))
        if name != "t.csv" and name != "uc":
            with pytest.raises(ArchiveError, match="HTML page"):
                len(Files.open(saved(tmp_path, name, page)))
    server.files = {"download": zipped(TREE)}
    assert len(Files.open(server.url("download?id=7"))) == 4
    assert len(Files.open(saved(tmp_path, "download", zipped(TREE)))) == 4


def test_a_folder_behind_http(server: WebServer) -> None:
    links = "".join(f'<a href="{name}">x</a>' for name in ("a.png", "inner/", "set.zip", "../"))
    server.files = {"set/": f"<html>{links}</html>".encode(), "set/inner/": b'<a href="b%20c.png">x</a>'}
    server.types = {"set/": "text/html", "set/inner/": "text/html"}
    server.files |= {"set/a.png": b"1", "set/inner/b c.png": b"2", "set/set.zip": zipped({"c.png": b"3"})}
    server.files["set/inner/b%20c.png"] = b"2"
    assert content(Files.open(server.url("set/"))) == {
        "a.png": b"1",
        "inner/b c.png": b"2",
        "set/c.png": b"3",
    }


def test_hugging_face(hub: str) -> None:
    api = HfApi(endpoint=hub, token="x")
    api.create_repo("medimg/files-test", repo_type="dataset", exist_ok=True)
    for path, data in {**TREE, "more/set.zip": zipped({"a.png": b"1"})}.items():
        api.upload_file(
            path_or_fileobj=data, path_in_repo=f"raw/{path}", repo_id="medimg/files-test", repo_type="dataset"
        )
    options = {"endpoint": hub, "skip_instance_cache": True}
    files = Files.open("hf://datasets/medimg/files-test/raw", storage_options=options)
    assert content(files) == {**TREE, "more/set/a.png": b"1"}
    one = Files.open("hf://datasets/medimg/files-test/raw/more/set.zip", storage_options=options)
    assert content(one) == {"a.png": b"1"} and one.fingerprint()
    alone = Files.open("hf://datasets/medimg/files-test/raw/README.txt", storage_options=options)
    assert {file.version for file in files} >= {file.version for file in alone} - {""}


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BACKOFF", 0.0)
    with web() as closed:
        url = closed.url("a.zip")
    with pytest.raises(SourceError, match=r"a.zip: cannot be read \(ClientConnector"):
        len(Files.open(url))


def test_refusals_name_the_address_and_no_secret(server: WebServer) -> None:
    server.status = {"closed.zip": 403}
    for name, words in (("closed.zip", "access is refused"), ("gone.zip", "is not there")):
        with pytest.raises(SourceError, match=words) as caught:
            len(Files.open(server.url(f"{name}?token=SECRET"), dataset="phantom"))
        assert "SECRET" not in str(caught.value) and name in str(caught.value) and "phantom" in str(caught.value)
        assert caught.value.__cause__ is None
    assert remote.shown("s3://user:pass@host/x?y=z") == "s3://host/x"
    with pytest.raises(SourceError, match="no address"):
        len(Files.open("nonsense://x/y"))


def test_s3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, data in TREE.items():
        bucket.put(f"folder/inner/{path}", data)
    zip_url = bucket.put("archives/set.zip", zipped(TREE))
    expected = {path: TREE[path] for path in sorted(TREE, key=names.natural_key)}
    for url in (f"s3://{bucket.name}/folder", f"s3://{bucket.name}/folder/", zip_url):
        files = Files.open(url, storage_options=bucket.options)
        assert content(files) == expected
        assert files.fingerprint() == Files.open(url, storage_options=bucket.options).fingerprint()
    with pytest.raises(SourceError, match="is not there"):
        len(Files.open(f"s3://{bucket.name}/nothing.zip", storage_options=bucket.options))
    declared = [source(url=zip_url), source(url=f"s3://{bucket.name}/folder/inner/", path="loose")]
    assert len(Files.open(declared, storage_options=bucket.options)) == 8
    settings_seen: dict[str, Any] = {}

    def no_driver(url: str, **options: Any) -> Any:
        settings_seen.update(options)
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", no_driver)
    with pytest.raises(MissingExtraError, match=r'pip install "medimg\[s3\]"'):
        len(Files.open(zip_url))
    assert settings_seen == {"anon": True}


# -------------------------------------------------------------------------------------- changes and checksums


def test_fingerprint(tmp_path: Path, server: WebServer) -> None:
    folder = planted(tmp_path / "set", TREE)
    before = Files.open(folder).fingerprint()
    assert before == Files.open(folder).fingerprint()
    os.utime(folder / "README.txt", (1, 1))
    assert before != Files.open(folder).fingerprint()
    one = saved(tmp_path, "a.zip", zipped(TREE))
    other = saved(tmp_path, "b.zip", zipped(TREE))
    os.utime(other, (1, 1))
    assert Files.open(one).fingerprint() == Files.open(other).fingerprint()  # by CRCs, wherever it lies
    changed = saved(tmp_path, "c.zip", zipped({**TREE, "README.txt": b"jello"}))
    assert Files.open(one).fingerprint() != Files.open(changed).fingerprint()
    server.files["a.tar.gz"] = tarred(TREE, "w:gz")
    remote_one = Files.open(server.url("a.tar.gz")).fingerprint()
    assert server.sent == 0
    server.files["a.tar.gz"] = server.files["a.tar.gz"][:-1] + b"\1"
    assert remote_one != Files.open(server.url("a.tar.gz")).fingerprint()


def test_checksums(tmp_path: Path, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "remember", lambda name: None)
    data = zipped(TREE)
    right = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data).hexdigest(),
        "size": len(data),
    }
    server.files["get/set.zip"] = data
    url = server.url("get/set.zip")
    where = saved(tmp_path, "in/set.zip", data)
    page = source(url="https://example.org", kind="page")
    progress: list[tuple[str, int, int | None]] = []
    for files in (
        Files.open([source(url=url, **right), page], dataset="phantom", verify=True),
        Files.open(where, sources=[source(url=url, **right), page], verify=True),
        Files.open(
            where.parent,
            sources=[source(url="https://example.org/x?y=1", path="set.zip", **right)],
            verify=True,
        ),
    ):
        files.checks.progress = lambda *step: progress.append(step)
        assert len(files) == 4 and not files.told
    assert progress == [("set.zip", len(data), len(data))] * 3
    for wrong in ({"sha256": "0" * 64}, {"md5": "0" * 32}):
        for files in (
            Files.open([source(url=url, **right | wrong)], dataset="phantom", verify=True),
            Files.open(where, sources=[source(url=url, **right | wrong)], dataset="phantom", verify=True),
        ):
            with pytest.raises(ChecksumError) as caught:
                len(files)
            (name, value), text = next(iter(wrong.items())), str(caught.value)
            assert value in text and right[name] in text and "phantom: set.zip" in text and "Next: download" in text
    with pytest.raises(ChecksumError, match=r"phantom: set.zip: holds .* the declaration states 7"):
        Files.open(where, sources=[source(url=url, size=7)], dataset="phantom")
    with pytest.raises(ChecksumError, match="the declaration states 7"):
        len(Files.open([source(url=url, size=7)], dataset="phantom"))


def stated(data: bytes, *names: str) -> dict[str, Any]:
    """Digests of what a source should be."""
    return {name: hashlib.new(name, data).hexdigest() for name in names or ("sha256",)}


@pytest.fixture
def read_bytes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that were read for their digests."""
    seen: list[str] = []
    compare = checksums.compare

    def counted(source: Any, item: Any, progress: Any) -> None:
        seen.append(item.path)
        compare(source, item, progress)

    monkeypatch.setattr(checksums, "compare", counted)
    return seen


def test_a_file_is_compared_before_it_is_used_and_once(tmp_path: Path, read_bytes: list[str]) -> None:
    where = planted(tmp_path, {"set.zip": zipped(TREE), "table.csv": b"a,b\n", "unused.csv": b"c\n"})
    right = [
        source(url="https://x.org/set.zip", **stated(zipped(TREE), "sha256", "md5")),
        source(url="https://x.org/table.csv", **stated(b"a,b\n", "md5")),
        source(url="https://x.org/unused.csv", **stated(b"c\n")),
    ]
    files = Files.open(where, sources=right, verify=True)
    files.fingerprint()
    assert not read_bytes  # a plan reads no file for it
    assert len(files) == 6 and read_bytes == ["set.zip"]
    assert files.need("table").read() == files.need("table").read() == b"a,b\n"
    files.need("volume-2").read()
    assert read_bytes == ["set.zip", "table.csv"]
    again = pickle.loads(pickle.dumps(Files.open(where, sources=right, verify=True)))
    content(again)
    assert read_bytes == ["set.zip", "table.csv", "unused.csv"]
    os.utime(where / "set.zip", ns=(1, 1))
    len(Files.open(where, sources=right, verify=True))
    assert read_bytes[3:] == ["set.zip"]
    declared_anew = [source(url="https://x.org/table.csv", **stated(b"other"))]
    with pytest.raises(ChecksumError):
        Files.open(where, sources=declared_anew, verify=True).need("table").read()
    len(Files.open(where, sources=right))
    assert read_bytes[4:] == ["table.csv"]  # only where it is asked for


@pytest.mark.parametrize("way", ["list", "stream", "open"])
@pytest.mark.parametrize("name", ["set.zip", "set.ZIP", "set.tar.gz", "table.csv"])
def test_a_wrong_file_is_never_used(tmp_path: Path, name: str, way: str) -> None:
    pack = {".zip": zipped, ".gz": lambda tree: tarred(tree, "w:gz"), ".csv": lambda tree: tree["README.txt"]}
    data = pack[Path(name.lower()).suffix](TREE)
    where = planted(tmp_path, {name: data})
    wrong = [source(url=f"https://x.org/{name.lower()}", sha256="0" * 64)]
    files = Files.open(where, dataset="phantom", sources=wrong, verify=True)
    ways = {"list": lambda: content(files), "stream": lambda: [one.read() for (one,) in files.stream("")]}
    for _ in range(2):  # it stays an error
        with pytest.raises(ChecksumError, match=rf"^phantom: {name}: its sha256 is .*0000\. Next: download"):
            ways.get(way, lambda: next(iter(files)).read())()


def test_the_memory_of_checksums_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_bytes: list[str]
) -> None:
    where = planted(tmp_path / "set", {"a.csv": b"a"})
    declared = [source(url="https://x.org/a.csv", **stated(b"a"))]
    monkeypatch.setattr(checksums, "folder", lambda: where / "a.csv/not/a/folder")
    for _ in range(2):
        assert Files.open(where, sources=declared, verify=True).need("a").read() == b"a"
    assert len(read_bytes) == 2
    monkeypatch.setattr(checksums, "folder", lambda: tmp_path / "cache")
    threads = [
        threading.Thread(target=lambda: Files.open(where, sources=declared, verify=True).need("a").read())
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read_bytes.clear()
    assert Files.open(where, sources=declared, verify=True).need("a").read() == b"a" and not read_bytes


def test_official_files_are_compared_over_http(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checksums, "folder", lambda: tmp_path)
    data = zipped({f"{n}.raw": noise(300_000, n) for n in range(30)}, zipfile.ZIP_STORED)
    server.files["get/set.zip"] = data
    url = server.url("get/set.zip")
    right = [source(url=url, **stated(data, "sha256", "md5"))]
    assert len(Files.open(right, dataset="phantom", verify=True)) == 30
    assert server.sent >= len(data)
    server.sent = 0
    assert Files.open(right, dataset="phantom", verify=True).need("^3").read() == noise(300_000, 3)
    assert server.sent < len(data) / 2  # remembered by its ETag
    server.files["get/set.zip"] = data[:9000] + b"?" + data[9001:]
    with pytest.raises(ChecksumError, match=r"^phantom: set.zip: its sha256 is \w{64}, the declaration states"):
        len(Files.open(right, dataset="phantom", verify=True))
    server.files["get/set.zip"], server.sent = data, 0
    large = Files.open([source(url=url, sha256="0" * 64)], verify=True, limits=Limits(checked=len(data) - 1))
    assert len(large) == 30 and server.sent < len(data) / 2
    assert [path for path, reason in large.told if "was not compared" in reason] == ["set.zip"]


def test_progress_of_a_comparison_is_shown_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = planted(tmp_path, {"a.csv": noise(1000)})
    declared = [source(url="https://x.org/a.csv", sha256="0" * 64)]
    monkeypatch.setattr(checksums, "SHOWN_AFTER", 0.0)
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    bars = importlib.import_module("huggingface_hub.utils.tqdm")
    monkeypatch.setattr(bars, "are_progress_bars_disabled", lambda name=None: False)
    for terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        with pytest.raises(ChecksumError):
            Files.open(where, sources=declared, verify=True).need("a").read()
        assert ("comparing a.csv" in capsys.readouterr().err) is terminal


# ---------------------------------------------------------------------------------------------------- hostile


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in data
    return data.replace(old, new)


UNSAFE = ["../evil", "a/../../evil", "/etc/passwd", "C:/evil", "C:evil", "a\\..\\evil", "..\\evil"]


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_leave_the_archive(tmp_path: Path, name: str) -> None:
    for where in (
        saved(tmp_path, "a.zip", zipped({"ok": b"", name: b"x"})),
        saved(tmp_path, "a.tar", tarred({"ok": b"", name: b"x"})),
        saved(tmp_path, "a.tar.gz", tarred({"ok": b"", name: b"x"}, "w:gz")),
        saved(tmp_path, "b.zip", zipped({"inner.zip": zipped({name: b"x"})})),
    ):
        with pytest.raises(UnsafePathError) as caught:
            len(Files.open(where, dataset="phantom"))
        assert repr(name) in str(caught.value) and f"phantom: {where.name}" in str(caught.value).replace("inner", "b")


def test_archives_that_windows_programs_wrote_are_folders(tmp_path: Path) -> None:
    def backslashed(system: int) -> bytes:
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in (("set\\", b""), ("set\\Training Batch 1\\v-0.nii", b"0"), ("set/b.png", b"1")):
                info = zipfile.ZipInfo("x")
                info.filename = name  # ZipInfo would replace what the system's separator is
                info.create_system = system
                archive.writestr(info, data)
        return sink.getvalue()

    right = {"Training Batch 1/v-0.nii": b"0", "b.png": b"1"}
    for system in (0, 3, 10):
        assert content(Files.open(saved(tmp_path, f"{system}/a.zip", backslashed(system)))) == right
    tar = tarred({"set\\Training Batch 1\\v-0.nii": b"0", "set\\b.png": b"1"})
    assert content(Files.open(saved(tmp_path, "a.tar", tar))) == right
    unpacked = planted(tmp_path / "u", {"set\\Training Batch 1\\v-0.nii": b"0", "set\\b.png": b"1"})
    assert content(Files.open(unpacked)) == right  # by a program that knows nothing of it
    twice = zipped({"a/b.png": b"1", "a\\b.png": b"2"})
    with pytest.raises(ArchiveError, match="twice"):
        len(Files.open(saved(tmp_path, "twice.zip", twice)))
    share = zipped({"\\\\server\\share\\x": b""})
    with pytest.raises(UnsafePathError, match="absolute"):
        len(Files.open(saved(tmp_path, "share.zip", share)))


# -------------------------------------------------------------------------------------------- case of suffixes


def test_suffixes_count_in_lower_case(tmp_path: Path) -> None:
    tree = {
        "P.1/IM-2.DCM": b"2", "P.1/IM-10.dcm": b"10", "volume-0.NII.GZ": b"0", "volume-1.Nii": b"1",
        "im0001.PPM.gz": b"p", "Dr. Smith/README": b"r", "a.Jpg": b"j",
    }  # fmt: skip
    files = Files.open(planted(tmp_path, tree), dataset="phantom")
    assert [(file.path, name) for file, name in files.match(r"([^/]+\.dcm)$")] == [
        ("P.1/IM-2.DCM", "IM-2.dcm"),
        ("P.1/IM-10.dcm", "IM-10.dcm"),
    ]
    assert [file.path for (file,) in files.stream(r"\.dcm$")] == ["P.1/IM-2.DCM", "P.1/IM-10.dcm"]
    assert [[file.name for file in folder] for folder in files.folders(r"\.dcm$")] == [["IM-2.DCM", "IM-10.dcm"]]
    index = files.index(r"volume-(\d+)\.nii(?:\.gz)?$")
    assert {key: file.path for key, file in index.items()} == {"0": "volume-0.NII.GZ", "1": "volume-1.Nii"}
    named = files.index(r"([^/]+\.(?:jpg|ppm\.gz))$")
    for name in ("a.jpg", "a.JPG", "a.Jpg"):
        assert name in named and named[name].path == "a.Jpg" == named.get(name).path
    assert named.pop("a.JPG").path == "a.Jpg" and "a.jpg" not in named and named.get("a.jpg") is None
    with pytest.raises(SourceError, match=r"no file for 'a\.JPG'"):
        named["a.JPG"]
    photo = files.get("a.jpg")
    assert photo and photo == files.get("a.JPG") and (photo.name, photo.key, photo.suffix) == ("a.Jpg", "a.jpg", ".jpg")
    slice_ = files.need("IM-2")
    assert slice_.sibling("IM-10.DCM") == files.get("P.1/IM-10.dcm") and "P.1/IM-2.dcm" in files
    assert files.get("p.1/IM-2.dcm") is None and files.get("A.jpg") is None  # the suffix alone
    assert [file.path for file in files] == [
        "Dr. Smith/README", "P.1/IM-2.DCM", "P.1/IM-10.dcm", "a.Jpg", "im0001.PPM.gz",
        "volume-0.NII.GZ", "volume-1.Nii",
    ]  # fmt: skip


def test_files_that_differ_in_the_case_of_the_suffix_alone_are_two(tmp_path: Path) -> None:
    files = Files.open(planted(tmp_path, {"s/a.dcm": b"1", "s/a.DCM": b"2", "t/b.png": b""}), dataset="phantom")
    assert [file.read() for (file,) in files.match(r"a\.dcm$")] in ([b"1", b"2"], [b"2", b"1"])
    assert files.get("s/a.dcm").read() == b"1" and files.get("s/a.DCM").read() == b"2"  # type: ignore[union-attr]
    for clash in (
        lambda: files.get("s/a.Dcm"),
        lambda: files.index(r"(a)\.dcm$"),
        lambda: files.find(r"a\.dcm$"),
    ):
        with pytest.raises(SourceError, match=r"both 's/a\.(dcm|DCM)' and 's/a\.(dcm|DCM)'"):
            clash()


def test_archives_are_known_by_suffixes_of_any_case(tmp_path: Path) -> None:
    saved(tmp_path, "A.ZIP", zipped({"1.png": b"1"}))
    saved(tmp_path, "B.Tar.GZ", tarred({"2.png": b"2"}, "w:gz"))
    assert content(Files.open(tmp_path)) == {"A/1.png": b"1", "B/2.png": b"2"}
    assert content(Files.open(tmp_path / "A.ZIP")) == {"1.png": b"1"}


def test_nul_in_a_name(tmp_path: Path) -> None:
    data = patched(zipped({"imageXpng": b"x"}), b"imageXpng", b"image\0png")
    with pytest.raises(UnsafePathError, match="NUL"):
        len(Files.open(saved(tmp_path, "a.zip", data)))


def test_links_and_devices_in_tars(tmp_path: Path) -> None:
    tree = {"data/real.png": b"pixels"}
    fine = special(
        ("links/soft.png", tarfile.SYMTYPE, "../data/real.png"),
        ("links/hard.png", tarfile.LNKTYPE, "data/real.png"),
        ("links/chain.png", tarfile.SYMTYPE, "soft.png"),
        ("links/lost.png", tarfile.SYMTYPE, "nowhere.png"),
        ("links/loop.png", tarfile.SYMTYPE, "loop.png"),
        ("links/folder", tarfile.SYMTYPE, "../data"),
        ("dev/null", tarfile.CHRTYPE, ""),
        ("pipe", tarfile.FIFOTYPE, ""),
        tree=tree,
    )
    files = Files.open(saved(tmp_path, "a.tar", fine))
    assert content(files) == {
        "data/real.png": b"pixels",
        "links/chain.png": b"pixels",
        "links/hard.png": b"pixels",
        "links/soft.png": b"pixels",
    }
    assert sorted(path for path, _ in files.notes) == [
        "dev/null", "links/folder", "links/loop.png", "links/lost.png", "pipe",
    ]  # fmt: skip
    for name, kind, target in (
        ("a", tarfile.SYMTYPE, "../x"),
        ("a", tarfile.SYMTYPE, "/etc/passwd"),
        ("a/b", tarfile.SYMTYPE, "../../etc"),
        ("a", tarfile.LNKTYPE, "../x"),
        ("a", tarfile.LNKTYPE, "/etc/passwd"),
    ):
        with pytest.raises(UnsafePathError, match="points outside"):
            len(Files.open(saved(tmp_path, "b.tar", special((name, kind, target), tree=tree))))


def test_links_in_zips(tmp_path: Path) -> None:
    def linked(target: str) -> bytes:
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("data/real.png", b"pixels")
            info = zipfile.ZipInfo("links/soft.png")
            info.create_system = 3
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
        return sink.getvalue()

    files = Files.open(saved(tmp_path, "a.zip", linked("../data/real.png")))
    assert files.need("soft").read() == b"pixels"
    with pytest.raises(UnsafePathError, match="points outside"):
        len(Files.open(saved(tmp_path, "b.zip", linked("../../etc/passwd"))))


def test_links_in_folders(tmp_path: Path) -> None:
    """A local folder is the user's own: links are followed, wherever they lead; loops end."""
    root = planted(tmp_path / "root", {"real/a.png": b"1", "b.txt": b"2"})
    planted(tmp_path, {"outside/c.png": b"3", "outside/deep/d.png": b"4"})
    (root / "alias.png").symlink_to("real/a.png")
    (root / "folder").symlink_to("real")
    (root / "real/loop").symlink_to("..")
    (root / "all").symlink_to("/")
    (root / "self").symlink_to("self")
    (root / "out").symlink_to("../outside")
    (root / "out.png").symlink_to(tmp_path / "outside/c.png")
    (tmp_path / "outside/back").symlink_to("../root/real")
    (tmp_path / "outside/deep/up").symlink_to("../../outside")
    files = Files.open(root, dataset="phantom")
    assert content(files) == {
        "alias.png": b"1", "b.txt": b"2", "folder/a.png": b"1", "real/a.png": b"1",
        "out.png": b"3", "out/c.png": b"3", "out/deep/d.png": b"4", "out/back/a.png": b"1",
    }  # fmt: skip
    noted = dict(files.notes)
    assert set(noted) == {"all", "folder/loop", "real/loop", "self", "out/back/loop", "out/deep/up"}
    assert "around it" in noted["real/loop"] and "is not there" in noted["self"]
    (tmp_path / "link").symlink_to(root)
    assert len(Files.open(tmp_path / "link")) == 8


def test_a_snapshot_folder_of_the_hub_is_a_folder_of_links(tmp_path: Path) -> None:
    repo = tmp_path / "datasets--someone--set"
    planted(repo / "blobs", {"sha-a": b"1", "sha-zip": zipped({"in.png": b"2"})})
    snapshot = repo / "snapshots/abc"
    (snapshot / "images").mkdir(parents=True)
    for name, blob in (("images/a.PNG", "sha-a"), ("more.zip", "sha-zip"), ("images/lost.png", "sha-lost")):
        (snapshot / name).symlink_to(Path("../../../blobs" if "/" in name else "../../blobs", blob))
    files = Files.open(snapshot)
    assert content(files) == {"images/a.PNG": b"1", "more/in.png": b"2"}
    ((path, reason),) = files.notes
    assert path == "images/lost.png" and "hf download" in reason


def test_content_that_was_not_fetched_is_told(tmp_path: Path) -> None:
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    planted(
        tmp_path,
        {"lfs.nii": lfs, "annex.nii": b"/annex/objects/MD5E-s9--0.nii\n", "note.txt": b"/annex/ is a word"},
    )
    (tmp_path / "volume-0.nii").symlink_to(".git/annex/objects/aa/bb/MD5E-s1--x/MD5E-s1--x.nii")
    (tmp_path / "disk.nii").symlink_to("/mnt/no-such-disk/disk.nii")
    files = Files.open(tmp_path, dataset="phantom")
    noted = dict(files.notes) if len(files) else {}
    assert 'datalad get "volume-0.nii"' in noted["volume-0.nii"]
    assert "/mnt/no-such-disk" in noted["disk.nii"] and len(noted) == 2
    assert files.need("note").read() == b"/annex/ is a word"
    for name, words in (("lfs.nii", "git lfs pull"), ("annex.nii", "datalad get")):
        with pytest.raises(SourceError, match=f"phantom: {name}: its content was not fetched.*Next: .*{words}"):
            files.need(name).read()
    for name in ("lfs.nii", "annex.nii", "note.txt"):
        (tmp_path / name).unlink()
    barren = str(Files.open(tmp_path).barren())
    assert "disk.nii" in barren and "datalad get" in barren


def read_all(where: Path, limits: Limits | None = None) -> None:
    with Files.open(where, dataset="phantom", limits=limits) as files:
        for (file,) in files.stream(""):
            file.read()
        content(files)


def hostile(folder: Path) -> dict[str, tuple[Path, type[Exception], str, Limits | None]]:
    whole = zipped({"a.raw": texture(200_000), "b.raw": b"b" * 100})
    stored = zipped({"a.raw": noise(5000)}, zipfile.ZIP_STORED)
    packed = tarred({"a.raw": texture(200_000), "b.raw": b"b"}, "w:gz")
    plain = tarred({"a.raw": noise(5000), "b.raw": noise(5000)})
    entry = whole.index(b"PK\1\2")
    lying = bytearray(whole)
    struct.pack_into("<L", lying, entry + 24, 1000)  # a.raw declares 1,000 bytes
    short = bytearray(whole)
    struct.pack_into("<L", short, entry + 24, 300_000)
    encrypted = bytearray(whole)
    encrypted[entry + 8] |= 1
    odd = bytearray(whole)
    odd[entry + 10] = 97
    parts = bytearray(whole)
    struct.pack_into("<H", parts, entry + 34, 3)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive, pytest.warns(UserWarning):
        archive.writestr("a.raw", b"1")
        archive.writestr("a.raw", b"2")
    nested = {"x.png": b""}
    for _ in range(4):
        nested = {"n.zip": zipped(nested)}
    damaged = packed[:60_000] + bytes(200) + packed[60_200:]
    zeros = bytes(3_000_000)
    twenty = {str(n): b"" for n in range(20)}
    crc = struct.pack("<L", zlib.crc32(b"b" * 100))
    long_name = bytearray(special(("x", tarfile.GNUTYPE_LONGNAME, "")))
    long_name[124:136] = b"%011o\0" % (1 << 30)
    long_name[148:156] = b"%06o\0 " % (sum(long_name[:148]) + sum(long_name[156:512]) + 8 * 32)
    cases: dict[str, tuple[Path, type[Exception], str, Limits | None]] = {}

    def case(title: str, name: str, data: bytes, kind: type[Exception], words: str, **limits: int) -> None:
        where = saved(folder, f"{len(cases)}/{name}", data)
        cases[title] = (where, kind, words, Limits(**limits) if limits else None)

    case("truncated zip", "a.zip", whole[:-3000], ArchiveError, "truncated")
    case("zip without its end", "a.zip", whole[:-30], ArchiveError, "truncated")
    case("zip without its beginning", "a.zip", whole[5000:], ArchiveError, "truncated")
    case("empty zip file", "a.zip", b"", ArchiveError, "empty")
    case("empty tar.gz file", "a.tar.gz", b"", ArchiveError, "empty")
    case("truncated tar.gz", "a.tar.gz", packed[:-5000], ArchiveError, "is cut")
    case("tar.gz without its sum", "a.tar.gz", packed[:-8], ArchiveError, "is cut")
    case("damaged tar.gz", "a.tar.gz", damaged, ArchiveError, "damaged")
    case("wrong sum of a tar.gz", "a.tar.gz", packed[:-8] + b"xxxx" + packed[-4:], ArchiveError, "damaged")
    case("truncated tar.bz2", "a.tar.bz2", tarred(TREE, "w:bz2")[:-20], ArchiveError, "is cut")
    case("truncated tar.xz", "a.tar.xz", tarred(TREE, "w:xz")[:-20], ArchiveError, "is cut")
    case("truncated member of a tar", "a.tar", plain[:4000], ArchiveError, "truncated")
    case("tar cut between members", "a.tar", plain[: 512 + 5120], ArchiveError, "truncated")
    case("damaged tar", "a.tar", plain[:5632] + b"?" * 512 + plain[6144:], ArchiveError, "damaged")
    case("text as tar", "a.tar", b"hello " * 500, ArchiveError, "no tar archive")
    case("a gigabyte of name", "a.tar", bytes(long_name), ArchiveError, "header of more than 1 MiB")
    case("more bytes than declared", "a.zip", bytes(lying), BombError, "expands beyond the 1,000 bytes")
    case("fewer bytes than declared", "a.zip", bytes(short), ArchiveError, "expands to 200,000")
    case("wrong CRC, deflated", "a.zip", patched(whole, crc, b"oops"), ArchiveError, "CRC-32")
    case("wrong CRC, stored", "a.zip", stored[:900] + b"?" + stored[901:], ArchiveError, "CRC-32")
    case("encrypted", "a.zip", bytes(encrypted), SourceError, "encrypted")
    case("unknown method", "a.zip", bytes(odd), SourceError, "method 97")
    case("one of several parts", "a.zip", bytes(parts), ArchiveError, "several parts")
    case("one name twice, zip", "a.zip", sink.getvalue(), ArchiveError, "twice")
    case("one name twice, tar", "a.tar", tarred({"a": b"1", "./a": b"2"}), ArchiveError, "twice")
    case("nested too deep", "a.zip", zipped(nested), ArchiveError, "more than 3 deep")
    case("ratio, zip", "a.zip", zipped({"a": zeros}), BombError, "100:1", ratio=100, ratio_floor=MiB)
    case("ratio, tar.bz2", "a.tar.bz2", tarred({"a": zeros}, "w:bz2"), BombError, "2000:1", ratio_floor=MiB)
    case("member, zip", "a.zip", zipped({"a": zeros}), BombError, "3,000,000 bytes", member_bytes=MiB)
    case("member, tar", "a.tgz", tarred({"a": zeros}, "w:gz"), BombError, "3,000,000 bytes", member_bytes=MiB)
    case("total", "a.zip", zipped({"a": zeros, "b": zeros}), BombError, "more than 4,", total_bytes=4 * MiB)
    case("total, tar", "a.tgz", tarred({"a": zeros}, "w:gz"), BombError, "more than 1,0", total_bytes=MiB)
    case("members, zip", "a.zip", zipped(twenty), BombError, "10 members", members=10)
    case("members, tar", "a.tar", tarred(twenty), BombError, "10 members", members=10)
    return cases


def test_hostile_and_damaged_archives(tmp_path: Path) -> None:
    for title, (where, kind, words, limits) in hostile(tmp_path).items():
        with pytest.raises(kind, match=f"(?s)^phantom: .*{words}.*Next: ") as caught:
            read_all(where, limits)
            pytest.fail(f"{title}: not noticed")
        assert type(caught.value) is kind, title


def sparse_tar(folder: Path, kind: str, packing: str) -> tuple[bytes, dict[str, bytes]]:
    """What GNU tar makes of files with holes, and their content."""
    holed = {"set/volume-0.nii": (3 << 20, {0: b"head", 1 << 20: texture(70_000), (3 << 20) - 5: b"tail!"}),
             "set/empty.nii": (200_000, {}), "set/plain.nii": (5, {0: b"plain"})}  # fmt: skip
    root = folder / f"{kind}-{packing}"
    whole = {}
    for path, (size, parts) in holed.items():
        planted(root, {path: b""})
        with (root / path).open("r+b") as stream:
            for at, data in parts.items():
                stream.seek(at)
                stream.write(data)
            stream.truncate(size)
        whole[path.removeprefix("set/")] = (root / path).read_bytes()
    for n in range(60):  # more extents than an old header holds
        with (root / "set/volume-0.nii").open("r+b") as stream:
            stream.seek((1 << 20) + 100_000 + 16_384 * n)
            stream.write(b"%d" % n)
    whole["volume-0.nii"] = (root / "set/volume-0.nii").read_bytes()
    options = ["--format=gnu"] if kind == "old" else ["--format=posix", f"--sparse-version={kind}"]
    subprocess.run(
        ["tar", packing, f"{root}.tar", "-S", "--hole-detection=raw", *options, "-C", str(root), "set"],
        check=True,
    )
    return Path(f"{root}.tar").read_bytes(), whole


@pytest.mark.skipif(not shutil.which("tar"), reason="needs GNU tar")
@pytest.mark.parametrize("kind", ["old", "0.0", "0.1", "1.0"])
def test_sparse_files_of_tars_are_whole(tmp_path: Path, kind: str) -> None:
    for packing, suffix in (("-cf", ".tar"), ("-czf", ".tar.gz")):
        data, whole = sparse_tar(tmp_path, kind, packing)
        assert len(data) < 2 << 20
        files = Files.open(saved(tmp_path, f"out/{kind}{suffix}", data))
        assert content(files) == whole and not files.notes
        with files.need("volume").open() as stream:
            stream.seek((1 << 20) - 10)
            assert stream.read(30) == whole["volume-0.nii"][(1 << 20) - 10 :][:30]
        if suffix == ".tar":
            for at in (
                *range(512, 6000, 700),
                len(data) // 2,
            ):  # cut, and damaged, anywhere: nothing but named errors
                for bad in (data[:at], data[:at] + b"99999999 GNU.sparse.map=-1,9" * 30 + data[at + 840 :]):
                    with contextlib.suppress(ArchiveError):
                        content(Files.open(saved(tmp_path, "bad.tar", bad)))


def test_a_sparse_file_that_states_its_stored_size(tmp_path: Path) -> None:
    """As of files over 8 GiB, whose sizes stand in the extended header."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        data = b"2\n0\n4\n5000\n3\n".ljust(512, b"\0") + b"headend"
        info = tarfile.TarInfo("GNUSparseFile.7/volume.nii")
        info.size = len(data)
        info.pax_headers = {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "volume.nii",
            "GNU.sparse.realsize": "6000", "size": str(len(data)),
        }  # fmt: skip
        archive.addfile(info, io.BytesIO(data))
        after = tarfile.TarInfo("after.txt")
        after.size = 5
        archive.addfile(after, io.BytesIO(b"after"))
    whole = b"head" + bytes(4996) + b"end" + bytes(997)
    files = Files.open(saved(tmp_path, "a.tar", sink.getvalue()))
    assert content(files) == {"after.txt": b"after", "volume.nii": whole}


def test_other_members_of_tars(tmp_path: Path) -> None:
    long = "/".join(["a" * 90] * 5) + ".png"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        sink = io.BytesIO()
        about = {"comment": "0123456789abcdef"} if kind == tarfile.PAX_FORMAT else None  # as `git archive` writes
        with tarfile.open(fileobj=sink, mode="w", format=kind, pax_headers=about) as archive:
            for path, data in ((long, b"long"), ("b/ü.png", b"u")):
                info = tarfile.TarInfo(path)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        assert content(Files.open(saved(tmp_path, "a.tar", sink.getvalue()))) == {
            long: b"long",
            "b/ü.png": b"u",
        }


def test_a_tar_is_told_by_its_content(tmp_path: Path) -> None:
    """Browsers unpack .tar.gz on the way, or keep one packed under the name .tar."""
    tree = {"a.png": b"1", "b/c.png": b"2"}
    assert content(Files.open(saved(tmp_path, "x.tar.gz", tarred(tree)))) == tree
    assert content(Files.open(saved(tmp_path, "y.tar", tarred(tree, "w:xz")))) == tree
    for name, data, words in (
        ("a.zip", tarred(tree), "is a tar archive, not zip.*Next: give it the name"),
        ("a.zip", b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7z archive, not zip.*Next: unpack it once"),
        ("a.tar", b"Rar!\x1a\x07" + bytes(999), "is a rar archive, not tar.*Next: unpack it once"),
        ("download", b"Rar!\x1a\x07" + bytes(999), "is a rar archive.*Next: unpack it once"),
    ):
        with pytest.raises(ArchiveError, match=words):
            len(Files.open(saved(tmp_path, name, data)))
    for name in ("data.7z", "data.7z.001", "data.tar.zst", "data.zip.001"):
        with pytest.raises(SourceError, match=rf"{name} is an archive that must be unpacked first"):
            Files.open(saved(tmp_path / name, name, b"?")).need("png")


def test_whatever_is_damaged_is_a_named_error(tmp_path: Path) -> None:
    """Bytes changed, cut out, put in and cut off, mostly where headers are."""
    tree = {**TREE, "a/b.raw": texture(3000)}
    pax = io.BytesIO()
    with tarfile.open(
        fileobj=pax, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"hdrcharset": "BINARY"}
    ) as archive:
        info = tarfile.TarInfo("é" * 120)
        info.mtime = 1.5
        archive.addfile(info)
    whole = {
        "a.zip": zipped(tree), "stored.zip": zipped(tree, zipfile.ZIP_STORED),
        "bz2.zip": zipped(tree, zipfile.ZIP_BZIP2),
        "lzma.zip": zipped(tree, zipfile.ZIP_LZMA), "n.zip": zipped({"x.tar.gz": tarred(tree, "w:gz")}),
        "a.tar": tarred(tree), "a.tar.gz": tarred(tree, "w:gz"), "a.tar.bz2": tarred(tree, "w:bz2"),
        "a.tar.xz": tarred(tree, "w:xz"), "pax.tar": pax.getvalue(),
    }  # fmt: skip
    chance = random.Random(0)
    failed = 0
    for name, data in whole.items():
        for _ in range(30):
            bad = bytearray(data)
            for _ in range(chance.choice([1, 1, 2, 8])):
                at = chance.choice([chance.randrange(700), -chance.randrange(1, 700), chance.randrange(len(bad))])
                at %= len(bad)
                change = chance.random()
                if change < 0.6:
                    bad[at] = chance.randrange(256)
                elif change < 0.7:
                    del bad[at : at + chance.choice([1, 7, 512])]
                elif change < 0.8:
                    bad[at:at] = chance.randbytes(chance.choice([1, 4, 512]))
                elif change < 0.9:
                    bad[at : at + 8] = chance.choice([b"\xff" * 8, b"99999999", b"-1 -1 -1"])
                else:
                    del bad[at + 1 :]
            try:
                read_all(saved(tmp_path, name, bytes(bad)))
            except MedimgError as error:
                assert error.next_step and error.dataset == "phantom" and error.file
                failed += 1
    assert failed > 200


def test_one_file_from_two_archives(tmp_path: Path) -> None:
    root = planted(tmp_path, {"a.zip": zipped({"1.png": b"1"}), "a.tar": tarred({"1.png": b"2"})})
    with pytest.raises(ArchiveError, match=r"a/1.png: comes from both 'a\.\w+' and 'a\.\w+'"):
        len(Files.open(root))


def test_label_maps_that_compress_a_thousandfold_are_no_bombs(tmp_path: Path) -> None:
    tree = {"mask.nii": bytes(80 << 20)}
    assert Files.open(saved(tmp_path, "a.zip", zipped(tree))).need("mask").read() == tree["mask.nii"]
