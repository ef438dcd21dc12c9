import subprocess
import sys

import pytest

from mixedlm_pt.linalg.object_store import MOST, ObjectStore

SCRIPT = """
import numpy as np
from mixedlm_pt.linalg.loops import Loop
from mixedlm_pt.linalg.machine_code import compiler

def total(values):
    result = 0.0
    for i in range(len(values)):
        result += values[i]
    values[0] = result

values = np.arange(5.0)
Loop(total)(values)
print(values[0], sorted(path.suffix for path in compiler(is_quick=False).store.folder.iterdir()))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mixedlm_pt"


def test_code_is_found_by_another_store_of_the_same_kind_only(folder):
    ObjectStore("a").write("key", b"code")
    assert ObjectStore("a").read("key") == b"code"
    assert ObjectStore("b").read("key") is None
    assert ObjectStore("a").read("other") is None


def test_damaged_code_is_not_found(folder):
    ObjectStore("a").write("key", b"some code")
    [path] = folder.rglob("key*")
    for content in (path.read_bytes()[:-1], b"", b"x" * 60):
        path.write_bytes(content)
        assert ObjectStore("a").read("key") is None


def test_the_oldest_files_make_room(folder):
    store = ObjectStore("a")
    store.write("first", b"code")
    for k in range(MOST + 5):
        (store.folder / f"{k}.o").touch()
    store.write("last", b"code")
    assert len(list(store.folder.iterdir())) < MOST
    assert ObjectStore("a").read("last") == b"code"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    store = ObjectStore("a")
    store.write("key", b"code")
    assert store.read("key") is None


def test_a_second_process_runs_the_code_of_the_first(tmp_path, folder):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    runs = []
    for _ in range(2):
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.o")}
        done = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=True, timeout=120
        )
        runs.append(done.stdout)
    assert runs[0] == runs[1]
    assert runs[0].startswith("10.0")
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.o")}
