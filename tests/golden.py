"""Digests of all that the builders give today: a redesign must leave them equal (`make golden`).

python tests/golden.py [slug ...] [--update] [--rows]

Of every miniature, once as a folder and once as an archive: each row (all columns, pixels as stored bytes), each file
that is no row with its reason, what rows lack, files that nothing covers, and what sync publishes of it: manifest,
card, and every other file. Of copies that lack one file, each kind of file in turn: rows, files that are none, how
often a row lacks something, and the kind of error; the words may change, not what is told.

`golden.jsonl` keeps the digests; a difference ends with exit code 1 and names the dataset, the layout and the part.
--update writes what is found now. --rows leaves sync out.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from miniatures import write

RECORD = Path(__file__).with_name("golden.jsonl")
LAYOUTS = ("folder", "archive")
COMMONS = ("idc/c4kc_kits", "idc/qin_prostate_repeatability", "idc/soft_tissue_sarcoma", "idc/ccdi_mci")
"""Collections of the Imaging Data Commons of four kinds: CT with SEG, MR, PET and CT with RTSTRUCT, slides."""
PASSING = ("fingerprint", "texts", "medimg")
"""Keys of a manifest that differ from copy to copy or with the code."""


def digest(value: Any) -> str:
    """Of anything that json can hold, bytes by their own digest."""

    def plain(one: Any) -> Any:
        if isinstance(one, bytes | bytearray | memoryview):
            return hashlib.sha256(one).hexdigest()
        raise TypeError(f"{type(one).__name__} has no digest")

    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def lay(name: str, layout: str, root: Path) -> Path:
    """The miniature of a dataset below `root`, as it is distributed or as one zip."""
    from medimg import registry
    from medimg.files.names import PHANTOM
    from medimg.phantom import Phantom

    builder = registry.get(name)
    place = root / builder.name
    if layout == "folder":
        builder.miniature(Phantom(place))
        return place
    make = Phantom()
    builder.miniature(make)
    place.mkdir(parents=True)
    (place / PHANTOM).write_text("", "utf-8")
    with zipfile.ZipFile(place / f"{builder.name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in make.files.items():
            archive.writestr(f"{builder.name}/{path}", data)
    return place


def read(name: str, place: Path) -> dict[str, Any]:
    """Digests of rows, of files that are none, and of what rows lack."""
    from medimg import registry
    from medimg.files import Files
    from medimg.report import LoadReport
    from medimg.rows import Record, iterate, unread

    builder = registry.get(name)
    report = LoadReport(builder.name)
    rows, skipped = [], []
    with Files.open(place, dataset=builder.name) as files:
        for item in iterate(builder, files, report=report):
            if isinstance(item, Record):
                rows.append([item.config, item.split, digest(item.values)])
            else:
                skipped.append([item.file.path, item.reason])
        lost = sorted(file.path for file in unread(files))
    told = {reason: [held.count, list(held.examples)] for reason, held in report.incomplete.items()}
    return {
        "count": len(rows),
        "rows": digest(rows),
        "skipped": digest(sorted(skipped)),
        "incomplete": digest(told),
        "unread": digest(lost),
    }


def without(name: str, root: Path) -> str:
    """Digest of what becomes of copies that lack one file; reasons and messages do not count."""
    from test_sweep import of_each_kind, unpacked

    contents = {**unpacked(name), "zz-other.md": b"-"}
    place = write(contents, root / name)
    found = {}
    for path in of_each_kind(name):
        (place / path).unlink()
        found[path] = survey(name, place)
        (place / path).write_bytes(contents[path])
    return digest(found)


def survey(name: str, place: Path) -> list[Any]:
    """Rows, paths of files that are none, how often a row lacks something, and the kind of error."""
    from medimg import registry
    from medimg.files import Files
    from medimg.report import LoadReport
    from medimg.rows import Record, iterate

    builder = registry.get(name)
    report = LoadReport(builder.name)
    rows, skipped, error = [], [], ""
    try:
        with warnings.catch_warnings(), Files.open(place, dataset=builder.name) as files:
            warnings.simplefilter("ignore")
            for item in iterate(builder, files, report=report):
                if isinstance(item, Record):
                    rows.append([item.config, item.split, digest(item.values)])
                else:
                    skipped.append(item.file.path)
    except Exception as fault:
        error = type(fault).__name__
    return [sorted(rows), sorted(skipped), sum(held.count for held in report.incomplete.values()), error]


def published(names: Iterable[str], root: Path, store: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(slug, digests of manifest, card and the other files) of what sync publishes of the copies below `root`."""
    from medimg import registry

    slugs = [registry.get(name).name for name in names]
    command = [sys.executable, "-c", "from medimg.hub_sync.start import main; main()"]
    command += [
        "sync",
        *names,
        "--source",
        str(root),
        "--store",
        str(store),
        "--no-verify",
        "--no-collections",
    ]
    subprocess.run([*command, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    from huggingface_hub import HfApi

    from medimg.hub_sync.hub.serve import EmbeddedHub

    with EmbeddedHub(store) as hub:
        api = HfApi(endpoint=hub.url, token="embedded")
        for slug in slugs:
            repo = f"medimg/{slug}"
            held = {}
            with tempfile.TemporaryDirectory() as folder:
                if not api.repo_exists(repo, repo_type="dataset"):
                    yield slug, {"manifest": "none", "card": "none", "files": "none"}
                    continue
                base = Path(api.snapshot_download(repo, repo_type="dataset", local_dir=folder))
                paths = [path for path in sorted(base.rglob("*")) if path.is_file()]
                held = {path.relative_to(base).as_posix(): path.read_bytes() for path in paths}
            held = {path: data for path, data in held.items() if not path.startswith(".cache/")}
            manifest = json.loads(held.pop(".medimg/manifest.json"))
            yield (
                slug,
                {
                    "manifest": digest({key: manifest[key] for key in manifest if key not in PASSING}),
                    "card": digest(held.pop("README.md").decode()),
                    "files": digest(held),
                },
            )


def record(names: list[str], *, sync: bool) -> dict[tuple[str, str], dict[str, Any]]:
    """(slug, layout) -> digests."""
    from tqdm import tqdm

    from medimg import registry

    found = {}
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "originals"
            for name in tqdm(names, desc=f"rows, {layout}", disable=None):
                with contextlib.redirect_stderr(io.StringIO()):
                    slug = registry.get(name).name
                    found[slug, layout] = read(name, lay(name, layout, root))
                    if layout == "folder" and "/" not in name:
                        found[slug, layout]["without"] = without(name, Path(folder) / "without")
            if sync:
                told = published(names, root, Path(folder) / "store")
                for slug, more in tqdm(told, desc=f"sync, {layout}", total=len(names), disable=None):
                    found[slug, layout] |= more
    return found


def differences(old: dict[str, Any] | None, new: dict[str, Any]) -> list[str]:
    """The parts that differ; parts that were not looked at now do not count."""
    if old is None:
        return ["not in the record"]
    return [f"{key} differs" for key in new if old.get(key) != new[key]]


def main() -> int:
    """Compare, or write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="slugs; none means all")
    parser.add_argument("--update", action="store_true", help="write what is found now")
    parser.add_argument("--rows", action="store_true", help="rows and skipped files alone, without sync")
    given = parser.parse_args()
    os.environ.update(HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1")
    if given.update and given.rows:
        parser.error("--update writes whole records: leave --rows out")

    from medimg import registry

    names = given.names or [*registry.names(), *COMMONS]
    lines = [json.loads(line) for line in RECORD.read_text("utf-8").splitlines()] if RECORD.exists() else []
    kept = {(line.pop("name"), line.pop("layout")): line for line in lines}
    found = record(names, sync=not given.rows)
    if given.update:
        kept = found if not given.names else kept | found
        text = [json.dumps({"name": name, "layout": layout} | kept[name, layout]) for name, layout in sorted(kept)]
        RECORD.write_text("\n".join(text) + "\n", "utf-8")
        print(f"{len(found)} miniatures written to {RECORD}")
        return 0
    wrong = [
        f"{name}, {layout}: {one}"
        for (name, layout), new in found.items()
        for one in differences(kept.get((name, layout)), new)
    ]
    if not given.names:
        wrong += [f"{name}, {layout}: not there any more" for name, layout in kept.keys() - found.keys()]
    print("\n".join(wrong) or f"{len(found)} miniatures are as in the record")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
