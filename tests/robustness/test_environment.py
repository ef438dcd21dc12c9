"""Fits where caches are damaged, foreign or impossible, and several at the same time."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest
from threadpoolctl import threadpool_info

import mixedlm_pt as mlm
from mixedlm_pt.compile import functions
from mixedlm_pt.linalg import object_store
from mixedlm_pt.linalg.machine_code import Compiler
from mixedlm_pt.linalg.object_store import ObjectStore

ROOT = Path(mlm.__file__).parents[1]
# 2,400 rows run as loops of machine code; every warning is an error.
SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
import mixedlm_pt as mlm
rng = np.random.default_rng(1)
g = np.arange(2400) % 60
x = rng.normal(size=2400)
y = rng.poisson(np.exp(0.3 + 0.4 * x + 0.5 * rng.normal(size=60)[g]))
data = {"y": y, "x": x, "g": g}
def fit():
    return mlm.glmer("y ~ x + (1 | g)", data, "poisson").estimate.loglik
print(repr(fit()), flush=True)
"""
FORK = """
import os
warnings.simplefilter("ignore", DeprecationWarning)
if os.fork() == 0:
    print(repr(fit()), flush=True)
    os._exit(0)
os.wait()
"""


def start(cache, script=SCRIPT, env=None, **arguments):
    """A Python that has nothing of this environment but the package."""
    env = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache)} if env is None else env
    command = [sys.executable, "-c", script]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, **pipes, **arguments)


def output(process):
    """Its lines; it must have ended well and without a word of complaint."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not err
    return out.split()


def files(cache):
    return sorted(path for path in Path(cache).rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A cache that three processes filled at the same time, and what they printed."""
    cache = tmp_path_factory.mktemp("cache")
    processes = [start(cache) for _ in range(3)]
    return cache, [output(process) for process in processes]


def test_processes_that_compile_at_once_have_one_result_and_leave_whole_files(together):
    cache, [first, *others] = together
    assert others == [first, first]
    assert len(files(cache)) >= 3
    assert {path.suffix for path in files(cache)} == {".o"}


def test_damaged_swapped_and_foreign_files_are_compiled_anew(together, tmp_path):
    filled, [expected, *_] = together
    cache = tmp_path / "cache"
    shutil.copytree(filled, cache)
    own = files(cache)
    before = [path.read_bytes() for path in own]
    own[0].write_bytes(before[0][: len(before[0]) // 2])
    # Whole, but the code of another key.
    own[1].write_bytes(before[2])
    own[2].write_bytes(b"")
    for path in own[3:]:
        path.write_bytes(np.random.default_rng(0).bytes(4000))
    (own[0].parents[1] / "another processor").mkdir()
    (own[0].parents[1] / "another processor" / own[0].name).write_bytes(before[1])
    assert output(start(cache)) == expected
    assert [path.read_bytes() for path in own] == before


def test_a_folder_in_the_place_of_a_file_does_no_harm(together, tmp_path):
    filled, [expected, *_] = together
    cache = tmp_path / "cache"
    shutil.copytree(filled, cache)
    for path in files(cache):
        path.unlink()
        path.mkdir()
    assert output(start(cache)) == expected
    assert not files(cache)


def test_a_fit_needs_no_home_no_compiler_and_no_cache(together):
    _, [expected, *_] = together
    env = {"PYTHONPATH": str(ROOT), "HOME": "/dev/null", "PATH": "", "TMPDIR": "/dev/null"}
    assert output(start(None, env=env)) == expected


def test_a_full_disk_costs_the_cache_and_nothing_else(together, tmp_path):
    _, [expected, *_] = together

    def no_space():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    assert output(start(tmp_path, preexec_fn=no_space)) == expected
    assert not files(tmp_path)


def test_a_forked_process_fits_as_its_parent_did(together):
    cache, [expected, *_] = together
    assert output(start(cache, SCRIPT + FORK)) == [*expected, *expected]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_takes_no_files_keeps_nothing(tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    store = ObjectStore("a")
    store.write("key", b"code")
    assert store.read("key") is None
    assert not files(tmp_path)


def test_a_file_that_cannot_be_written_to_its_end_leaves_nothing(tmp_path, monkeypatch):
    def refuse(path, content):
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", refuse)
    ObjectStore("a").write("key", b"code")
    assert not files(tmp_path)


def test_a_relative_cache_folder_is_ignored_as_its_specification_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert object_store.cache_folder().is_absolute()


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (llvmlite, "__version__", "0.0.1"),
        (llvmlite.binding, "get_host_cpu_name", lambda: "x86-64"),
        (llvmlite.binding, "get_default_triple", lambda: "x86_64-apple-darwin"),
        ("mixedlm_pt.linalg.machine_code", "PASSES", "none"),
    ],
)
def test_code_of_another_compiler_processor_or_system_is_kept_apart(
    monkeypatch, owner, name, value
):
    here = Compiler(is_quick=False).store.kind
    owner = sys.modules[owner] if isinstance(owner, str) else owner
    monkeypatch.setattr(owner, name, value)
    assert Compiler(is_quick=False).store.kind != here


def test_code_for_other_features_of_the_processor_is_kept_apart(monkeypatch):
    here = Compiler(is_quick=False).store.kind
    features = llvmlite.binding.get_host_cpu_features()
    name = next(name for name, is_there in features.items() if is_there)
    features[name] = False
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: features)
    assert Compiler(is_quick=False).store.kind != here


LINKS = ("logit", "probit", "cloglog")


def fit_cbpp(k=0):
    family = mlm.families.Binomial(link=LINKS[k % 3])
    formula = "incidence / size ~ period + (1 | herd)"
    return mlm.glmer(formula, mlm.load_cbpp(), family, nAGQ=1 + k % 2).estimate.loglik


@pytest.fixture
def nothing_compiled(monkeypatch):
    monkeypatch.setattr(functions, "_cache", type(functions._cache)())


def test_threads_that_compile_and_fit_at_once_have_the_results_of_one(nothing_compiled):
    blas = [library["num_threads"] for library in threadpool_info()]
    with ThreadPoolExecutor(6) as pool:
        at_once = list(pool.map(fit_cbpp, range(12)))
    assert at_once == [fit_cbpp(k) for k in range(12)]
    assert [library["num_threads"] for library in threadpool_info()] == blas


def is_interrupted(delay):
    """Whether a fit ends with KeyboardInterrupt if an alarm may go off after ``delay`` seconds.

    An alarm after the fit does nothing: the handler raises only while the fit runs.
    """
    is_fitting = False

    def interrupt(*_):
        if is_fitting:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        is_fitting = True
        fit_cbpp()
        is_fitting = False
    except KeyboardInterrupt:
        return True
    finally:
        is_fitting = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    return False


# Python itself drops what a signal handler raises while an object is finalised, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_compiled", [True, False])
def test_an_interrupted_fit_leaves_the_next_one_as_it_was(nothing_compiled, is_compiled):
    expected = fit_cbpp()
    if not is_compiled:
        functions._cache.clear()
    blas = [library["num_threads"] for library in threadpool_info()]
    interrupted = sum(is_interrupted(delay) for delay in np.geomspace(1e-3, 0.1, 12))
    assert interrupted
    assert fit_cbpp() == expected
    assert [library["num_threads"] for library in threadpool_info()] == blas
