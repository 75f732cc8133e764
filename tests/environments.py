"""Environments that hold the built wheel, and exactly what an install of it brings: nothing else can be imported.

Nothing is downloaded: the distributions are those of this environment, found by walking what each requires,
and linked into the new one. So an environment takes a second, and what is not in the walk is not there.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path

from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def built_wheel(folder: Path) -> Path:
    """The wheel of this clone; built once, by whoever comes first."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not list(folder.glob("*.whl")):
            command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    return next(folder.glob("medimg-*.whl"))


def requirements(wheel: Path) -> list[str]:
    """What a wheel says that it requires."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode()).get_all("Requires-Dist") or []


def closure(wheel: Path, extras: Iterable[str] = ()) -> set[str]:
    """Distributions that an install of a wheel with these extras brings, without the wheel's own."""
    seen: set[tuple[str, str]] = set()
    itself = canonicalize_name(wheel.name.split("-")[0])

    def walk(required: Iterable[str], extra: str) -> None:
        for text in required:
            one = Requirement(text)
            name = canonicalize_name(one.name)
            if one.marker is not None and not one.marker.evaluate({"extra": extra}):
                continue
            for wanted in ("", *one.extras):
                if (name, wanted) not in seen:
                    seen.add((name, wanted))
                    walk(requirements(wheel) if name == itself else metadata.requires(name) or [], wanted)

    for extra in ("", *extras):
        walk(requirements(wheel), extra)
    return {name for name, _ in seen} - {itself}


def links(wanted: set[str]) -> dict[str, Path]:
    """Place below site-packages -> file or folder there, of these distributions and of no other."""
    holders: dict[str, set[str]] = {}
    files: dict[str, list[metadata.PackagePath]] = {}
    where: dict[str, metadata.Distribution] = {}
    for each in metadata.distributions():
        name = canonicalize_name(each.name)
        if name in where:  # the first on the path is the one that is imported
            continue
        where[name] = each
        files[name] = [file for file in each.files or () if ".." not in file.parts and file.parts[0] != "__pycache__"]
        for file in files[name]:
            holders.setdefault(file.parts[0], set()).add(name)
    found: dict[str, Path] = {}
    for name in wanted:
        for file in files[name]:
            alone = holders[file.parts[0]] <= wanted  # a folder may belong to several distributions
            place = file.parts[0] if alone else str(file)
            found[place] = Path(str(where[name].locate_file(place)))
    return found


def environment(folder: Path, wheel: Path, extras: Iterable[str] = ()) -> Path:
    """Python of an environment with a wheel and what it requires."""
    venv.create(folder, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    for place, target in links(closure(wheel, extras)).items():
        (site / place).parent.mkdir(parents=True, exist_ok=True)
        (site / place).symlink_to(target)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    entries = configparser.ConfigParser()
    entries.read(next(site.glob("medimg-*.dist-info/entry_points.txt")))
    for name, target in entries["console_scripts"].items():
        module, function = target.split(":")
        script = folder / "bin" / name
        script.write_text(f"#!{folder}/bin/python\nfrom {module} import {function}\n{function}()\n", "utf-8")
        script.chmod(0o755)
    return folder / "bin" / "python"


def run(
    python: Path, command: list[str], cwd: Path, more: dict[str, str] | None = None, told: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment; neither this one nor a user's own packages are seen there."""
    hidden = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    path = {"PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONNOUSERSITE": "1"}
    whole = {**hidden, **path, **(more or {})}
    return subprocess.run(command, cwd=cwd, env=whole, input=told, capture_output=True, text=True, check=False)
