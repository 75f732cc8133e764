"""`.DCM` is `.dcm`: the case of a suffix, of files or in tables that name them, changes no row of any builder."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from medimg import registry
from medimg.files import Files
from tests.miniatures import copied, write, written

PLAIN_SUFFIX = re.compile(
    r"\.(jpe?g|png|tiff?|bmp|gif|ppm|nii(?:\.gz)?|dcm|mh[ad]|z?raw|avi|mpg|mp4|np[yz]|xml|mat|hdr|img)"
    r"(?=[\"'<,;\t\r\n ]|$)"
)
TEXTS = (".csv", ".tsv", ".tab", ".txt", ".json", ".xml", ".mhd", ".cfg")


def raised(path: str) -> str:
    """The path with its suffix in upper case: volume-0.NII.GZ."""
    folder, _, name = path.rpartition("/")
    name = re.sub(
        r"(?<=[^/])(?:\.[A-Za-z]\w{1,6})?\.[Gg][Zz]$|(?<=[^/])\.[A-Za-z]\w{0,6}$",
        lambda m: m[0].upper(),
        name,
    )
    return f"{folder}/{name}" if folder else name


def respelled(path: str, data: bytes) -> bytes:
    """A table whose cells spell file names in upper case."""

    def raise_all(text: str) -> str:
        return PLAIN_SUFFIX.sub(lambda found: found[0].upper(), text)

    if path.endswith(TEXTS):
        try:
            return raise_all(data.decode()).encode()
        except UnicodeError:
            return data
    if not path.endswith(".xlsx"):
        return data
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as book, zipfile.ZipFile(stream, "w") as out:
        for name in book.namelist():
            part = book.read(name)
            out.writestr(name, raise_all(part.decode()).encode() if name.startswith("xl/worksheets/") else part)
    return stream.getvalue()


def plain(text: object) -> str:
    return str(text).lower()


def known(module: str, contents: dict[str, bytes], root: Path) -> list[object]:
    """All that a builder says of a copy, without the spelling of suffixes in what it quotes."""
    copy = copied(module, contents, root)
    shutil.rmtree(root)
    rows = [
        (
            record.config, record.split, record.values["id"], record.values["subject"], record.values["content"],
            record.values["spacing"], record.mask_values, plain(record.values["meta"]),
            {key: plain(value) for key, value in record.values["label"].items() if key not in ("mask", "target")},
        )
        for record in copy.records
    ]  # fmt: skip
    return [rows, {plain(path) for path in copy.skipped}, {plain(path) for path in copy.unread}]


@pytest.mark.parametrize("module", registry.module_names())
def test_suffixes_in_upper_case_change_no_row(module: str, tmp_path: Path) -> None:
    """`.DCM` is `.dcm`: of files as distributed, of unpacked ones, of every second one, and in cells of tables."""
    packed = written(module)
    with Files.open(write(packed, tmp_path / "packed")) as files:
        inside = {file.path: file.read() for file in files}
    expected = {True: known(module, packed, tmp_path / "a"), False: known(module, inside, tmp_path / "b")}
    assert expected[True][0]
    for title, contents, as_distributed in (
        ("all", {raised(path): data for path, data in packed.items()}, True),
        ("all, unpacked", {raised(path): data for path, data in inside.items()}, False),
        (
            "every second, unpacked",
            {raised(path) if n % 2 else path: data for n, (path, data) in enumerate(inside.items())},
            False,
        ),
        ("in cells alone", {path: respelled(path, data) for path, data in inside.items()}, False),
        ("everywhere", {raised(path): respelled(path, data) for path, data in inside.items()}, False),
    ):
        assert known(module, contents, tmp_path / "copy") == expected[as_distributed], title
