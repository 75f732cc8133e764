"""Dependencies point one way: core <- readers <- builders; cards <- core; hub_sync <- all."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = [
    {"kept", "text", "collections"},
    {"imports", "errors", "report", "index"},
    {"clients", "vocab", "licenses", "pixels", "hub", "containers"},
    {"files"},
    {"schema"},
    {"declaration", "manifest", "places", "portions"},
    {"layout", "phantom", "policy", "fused_manifest"},
    {"readers"},
    {"join"},
    {"registry", "privacy"},
    {"rows", "catalogue"},
    {"held"},
    {"loading"},
    {"fusion"},
]
"""Core modules from the ground up; a module imports only what stands below it, or its own package."""
FOLDERS = {"builders": ROOT / "builders", "hub_sync": ROOT / "hub_sync", "cards": ROOT / "cards"}
MAY_IMPORT = {
    "builders": {
        "errors",
        "text",
        "vocab",
        "licenses",
        "collections",
        "catalogue",
        "schema",
        "declaration",
        "readers",
        "join",
        "builders",
    },
    "cards": {
        "",
        "errors",
        "text",
        "vocab",
        "licenses",
        "pixels",
        "files",
        "schema",
        "declaration",
        "manifest",
        "layout",
        "policy",
        "fused_manifest",
        "index",
        "registry",
        "catalogue",
        "loading",
        "fusion",
        "cards",
    },
}


def imports(path: Path) -> set[str]:
    """Names of the medimg parts that a module imports at run time ("" is the package itself)."""
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "medimg":
            found |= {"" if alias.name.startswith("__") else alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medimg."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {[*alias.name.split("."), ""][1] for alias in node.names if alias.name.split(".")[0] == "medimg"}
    return found


def test_core_layers_point_down() -> None:
    rank = {module: index for index, layer in enumerate(LAYERS) for module in layer}
    seen = set()
    for path in sorted((ROOT / "medimg").rglob("*.py")):
        part = path.relative_to(ROOT / "medimg").with_suffix("").parts[0]
        if part == "__init__":
            continue
        seen.add(part)
        for target in imports(path) - {part, ""}:
            assert target in rank, f"{path.name} imports medimg.{target}, which is no part of the core"
            assert rank[target] < rank[part], f"medimg.{part} must not import medimg.{target}"
    assert seen == set(rank), "a core module is missing in LAYERS"


def test_outer_packages_import_only_what_they_may() -> None:
    for name, allowed in MAY_IMPORT.items():
        for path in sorted(FOLDERS[name].rglob("*.py")):
            assert imports(path) <= allowed, f"{name}/{path.name}: {imports(path) - allowed}"


def test_pyproject_names_every_package() -> None:
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    found = set()
    for folder, prefix in (
        (ROOT / "medimg", "medimg"),
        *((path, f"medimg.{name}") for name, path in FOLDERS.items()),
    ):
        for init in folder.rglob("__init__.py"):
            found.add(".".join([prefix, *init.parent.relative_to(folder).parts]))
    assert declared == found


def test_import_is_quick_and_touches_nothing() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import medimg; spent = time.perf_counter() - t;"
        "heavy = {'numpy', 'datasets', 'pyarrow', 'huggingface_hub', 'pydantic'} & set(sys.modules);"
        "assert not heavy, heavy; print(spent)"
    )
    spent = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert spent < 0.5


def test_heavy_readers_are_imported_where_they_are_used() -> None:
    heavy = {
        "pydicom",
        "highdicom",
        "SimpleITK",
        "tifffile",
        "av",
        "openpyxl",
        "xlrd",
        "h5py",
        "s3fs",
        "idc_index",
        "mlcroissant",
    }
    for path in [
        *(ROOT / "medimg").rglob("*.py"),
        *(f for folder in FOLDERS.values() for f in folder.rglob("*.py")),
    ]:
        for node in ast.parse(path.read_text("utf-8")).body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            assert not heavy & set(names), f"{path}: {names} at the top"
