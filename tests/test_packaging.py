"""The wheel, installed alone, is the package."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that holds the built wheel; its dependencies come from this environment's folder."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
    )
    wheel = next(folder.glob("medimg-*.whl"))
    environment = folder / "env"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", "--no-deps", str(wheel)], check=True)
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    return python


def run(python: Path, code: str, cwd: Path) -> str:
    done = subprocess.run([str(python), "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_every_package_and_its_data(installed: Path, tmp_path: Path) -> None:
    code = (
        "import medimg, medimg.builders, medimg.hub_sync, medimg.cards, medimg.vocab as v;"
        "assert 'site-packages' in medimg.__file__ and 'env' in medimg.builders.__file__, medimg.builders.__file__;"
        "print(len(medimg.names()), v.modality.resolve('MR'))"
    )
    count, modality = run(installed, code, tmp_path).split()
    assert int(count) == len(
        [path for path in (ROOT / "builders").glob("*.py") if not path.name.startswith("_")]
    )
    assert modality == "MRI"


def test_outer_packages_are_no_top_level_names(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util as u; print([n for n in ('builders', 'hub_sync', 'cards') if u.find_spec(n)])"
    )
    assert run(installed, code, tmp_path).strip() == "[]"


def test_command_publishes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed.with_name("medimg")), "sync", "lits", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"published"' in done.stdout


def test_lock_is_plain_pins() -> None:
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        name, _, version = line.partition("==")
        assert name and version and "/" not in line and "@" not in line and ":" not in line, line
