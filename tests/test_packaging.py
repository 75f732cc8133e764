"""The wheel, installed alone, is the package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import environments
import pytest

from medimg import registry
from medimg.phantom import Phantom

ROOT = Path(__file__).parents[1]
NOT_IN_BASE = (
    *("starlette", "uvicorn", "jinja2", "markupsafe", "pydicom", "highdicom", "tifffile", "openpyxl", "xlrd"),
    *("av", "h5py", "s3fs", "idc_index_data", "SimpleITK", "torch", "pytest", "mlcroissant", "mcp"),
)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that holds the built wheel with the extra `all`."""
    return environments.environment(tmp_path_factory.mktemp("all"), wheel, ["all"])


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that holds the built wheel and no extra."""
    return environments.environment(tmp_path_factory.mktemp("base"), wheel)


def run(python: Path, code: str, cwd: Path) -> str:
    done = environments.run(python, ["python", "-c", code], cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def medimg(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return environments.run(python, ["medimg", *arguments], cwd)


def test_wheel_holds_every_package_and_its_data(installed: Path, tmp_path: Path) -> None:
    code = (
        "import medimg, medimg.builders, medimg.hub_sync, medimg.cards, medimg.vocab as v;"
        "assert all('site-packages' in m.__file__ for m in (medimg, medimg.builders, medimg.cards, v));"
        "print(len(medimg.names()), v.modality.resolve('MR'))"
    )
    count, modality = run(installed, code, tmp_path).split()
    assert int(count) == len([path for path in (ROOT / "builders").glob("*.py") if not path.name.startswith("_")])
    assert modality == "MRI"


def test_outer_packages_are_no_top_level_names(installed: Path, tmp_path: Path) -> None:
    code = "import importlib.util as u; print([n for n in ('builders', 'hub_sync', 'cards') if u.find_spec(n)])"
    assert run(installed, code, tmp_path).strip() == "[]"


def test_command_publishes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = medimg(installed, "sync", "lits", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"published"' in done.stdout


def test_base_install_holds_no_extra(base: Path, tmp_path: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {NOT_IN_BASE!r} if u.find_spec(name)])"
    assert run(base, code, tmp_path).strip() == "[]"


def test_base_install_lists_shows_searches_loads_and_fuses(base: Path, tmp_path: Path) -> None:
    registry.get("lits").miniature(Phantom(tmp_path / "LiTS"))
    for arguments in (
        ["list"],
        ["show", "lits"],
        ["search", "liver", "--use", "open"],
        ["search", "肺结节", "--json"],
    ):
        done = medimg(base, *arguments, cwd=tmp_path)
        assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr
    code = (
        "import medimg;"
        "rows = list(medimg.load('lits', source='LiTS', split='train', streaming=True));"
        "assert rows[0]['image'].shape == rows[0]['label']['mask'].shape;"
        "fused = medimg.fuse(['lits', 'msd-liver'], targets=['liver'], source='miniature', split='train');"
        "row = next(iter(fused)); assert row['fused']['mask'] is not None;"
        "print(len(rows))"
    )
    assert run(base, code, tmp_path).split()[-1] == "3"


def test_base_install_writes_the_portal(base: Path, tmp_path: Path) -> None:
    done = medimg(base, "portal", "--out", "site", "--json", cwd=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert f'"files": {sum(path.is_file() for path in (tmp_path / "site").rglob("*"))}' in done.stdout
    assert (tmp_path / "site" / "index.html").exists() and (tmp_path / "site" / "data" / "catalogue.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["sync", "lits"],
        ["hub"],
        ["verify"],
        ["fuse", "lits", "msd-liver", "--target", "liver", "--source", "miniature", "--push", "liver"],
    ],
    ids=" ".join,
)
def test_a_command_that_needs_an_extra_says_which(base: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = medimg(base, *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert 'pip install "medimg[hub]"' in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir()), "nothing is written where nothing can be done"


def test_every_extra_that_a_message_names_is_declared(wheel: Path) -> None:
    declared = {one.split("extra ==")[1].strip(" '\"") for one in environments.requirements(wheel) if "extra ==" in one}
    named = {
        extra
        for path in [*ROOT.glob("medimg/**/*.py"), *ROOT.glob("cards/*.py"), *ROOT.glob("hub_sync/**/*.py")]
        for extra in re.findall(r'medimg\[(\w+)\]|need\("(\w+)"|_extra\("\w+", "(\w+)"\)', path.read_text("utf-8"))
        for extra in extra
        if extra
    }
    assert {"hub", "dicom"} <= named <= declared


PIP = """#!/bin/bash
[ "$PIP_ROOT_USER_ACTION" = ignore ] || echo "WARNING: Running pip as the 'root' user" >&2
[ "$PIP_DISABLE_PIP_VERSION_CHECK" = 1 ] || echo "[notice] A new release of pip is available" >&2
"""


def test_make_sync_prints_one_line_of_its_own_and_none_of_pips(tmp_path: Path) -> None:
    bin = tmp_path / "env" / "bin"
    bin.mkdir(parents=True)
    for name, text in (("python", PIP), ("medimg", '#!/bin/bash\necho "medimg $*"\n')):
        (bin / name).write_text(text, "utf-8")
        (bin / name).chmod(0o755)
    viewer = tmp_path / "viewer"
    viewer.touch()
    done = subprocess.run(
        [
            *("make", "--no-print-directory", "sync", f"VENV={tmp_path / 'env'}", f"VIEWER={viewer}"),
            "ONLY=hc18",
        ],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "MAKE"))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("installing") and second.startswith("medimg sync hc18 ")


def test_a_command_shows_our_warnings_and_none_of_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, warnings; from medimg.hub_sync.commands import app; from medimg.report import MedimgWarning\n"
        "def told(*_):\n"
        "    warnings.warn('use content=', DeprecationWarning); warnings.warn('soon', FutureWarning)\n"
        "    warnings.warn('odd'); warnings.warn('hc18: 1 left out', MedimgWarning)\n"
        "app._app_of = lambda arguments: told\n"
        "app.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "hc18: 1 left out\n"


def test_lock_is_plain_pins() -> None:
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        name, _, version = line.partition("==")
        assert name and version and "/" not in line and "@" not in line and ":" not in line, line
