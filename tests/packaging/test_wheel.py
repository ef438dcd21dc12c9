"""What is in the wheel and in the sdist, and that a stranger can install and use them."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import mixedlm_pt as mlm
from mixedlm_pt.datasets.catalogue import DATASETS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SMOKE = Path(__file__).with_name("smoke.py")
# As a user writes it, with every kind of result that the annotations promise.
TYPED = """
from mixedlm_pt import GlmerResult, glmer, load_cbpp

data = load_cbpp()
fit: GlmerResult = glmer("incidence / size ~ period + (1 | herd)", data, family="binomial")
estimate: float = float(fit.fixef()["period2"])
loglik: float = fit.logLik()
limits: list[str] = fit.confint("period2").columns.tolist()
reveal_type(fit.summary())
fit.summary(correlation="no")
"""
# Clean: nothing of this checkout or of its environment leads there.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    return Path(built)


def test_the_wheel_holds_every_module_and_data_set_and_nothing_else(wheel):
    names = names_in(wheel)
    package = {name for name in names if name.startswith("mixedlm_pt/")}
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("mixedlm_pt/**/*.py")}
    tables = {f"mixedlm_pt/datasets/data/{facts.file_name}" for facts in DATASETS.values()}
    assert package == modules | tables | {"mixedlm_pt/py.typed"}
    assert {name.split("/")[0] for name in names - package} == {
        f"mixedlm_pt-{mlm.__version__}.dist-info"
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_metadata_say_what_pyproject_says(wheel):
    folder = f"mixedlm_pt-{mlm.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = HeaderParser().parsestr(archive.read(f"{folder}/METADATA").decode())
        scripts = archive.read(f"{folder}/entry_points.txt").decode()
    assert metadata["Version"] == mlm.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    required = [one for one in metadata.get_all("Requires-Dist") if "extra ==" not in one]
    assert sorted(required) == sorted(PROJECT["dependencies"])
    assert "mixedlm_pt = mixedlm_pt.cli:main" in scripts


def run(*command, folder):
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=CLEAN, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The sdist, and the wheel that is made of it, as `make wheel` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory):
    """The Python of a new environment with the wheel and its plots."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder, folder=folder)
    python = folder / "bin" / "python"
    flags = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    run(python, "-m", "pip", "install", *flags, f"{distributions[1]}[plots]", folder=folder)
    return python


@pytest.mark.slow
def test_a_wheel_made_of_the_sdist_is_the_wheel_of_the_checkout(distributions, wheel):
    sdist, of_sdist = distributions
    assert names_in(of_sdist) == names_in(wheel)
    with zipfile.ZipFile(of_sdist) as one, zipfile.ZipFile(wheel) as other:
        for name in names_in(wheel):
            assert one.read(name) == other.read(name), name
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames()}
    assert {"mixedlm_pt", "tests", "docs", "LICENSE", "README.md", "pyproject.toml"} <= top
    assert not top & {".venv", "dist", ".git", ".mypy_cache"}


@pytest.mark.slow
def test_the_wheel_does_its_work_in_a_new_environment(installed, tmp_path):
    run(installed, "-I", SMOKE, folder=tmp_path)


@pytest.mark.slow
def test_mypy_sees_the_types_of_the_installed_package(installed, tmp_path):
    (tmp_path / "user.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed]
    done = subprocess.run(
        [*map(str, command), "user.py"],
        cwd=tmp_path,
        env=CLEAN,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("user.py")]
    note, error = (line.split(": ", 2)[1:] for line in lines)
    assert note[0] == "note"
    assert "mixedlm_pt.summary.summary.Summary" in note[1]
    # The one mistake that the script makes on purpose.
    assert error[0] == "error"
    assert 'Argument "correlation"' in error[1]


@pytest.mark.slow
@pytest.mark.parametrize("extra", [*PROJECT["optional-dependencies"]])
def test_every_extra_resolves(extra, distributions, tmp_path):
    report = tmp_path / "report.json"
    flags = ["--quiet", "--dry-run", "--ignore-installed", "--only-binary", ":all:"]
    target = f"{distributions[1]}[{extra}]"
    run(sys.executable, "-m", "pip", "install", *flags, "--report", report, target, folder=tmp_path)
    found = json.loads(report.read_text())["install"]
    assert "mixedlm_pt" in {one["metadata"]["name"] for one in found}
    assert len(found) > len(PROJECT["dependencies"])
