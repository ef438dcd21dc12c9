"""How commands end: exit codes, messages, help, interruptions."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes.presets import PRESETS
from mixedlm_pt.cli import command, main
from mixedlm_pt.cli.parser import DATA_EXAMPLES, EXAMPLES, FIT_EXAMPLES, build_parser
from mixedlm_pt.families import FAMILIES, LINKS

FORMULA = "incidence / size ~ period + (1 | herd)"


def test_a_column_of_new_data_is_never_overwritten(cbpp_fit, tmp_path, capsys):
    new = tmp_path / "new.csv"
    new.write_text("period,fit\n1,2\n")
    code = main(["fit", *cbpp_fit, "--predict", str(new), "--predictions", str(tmp_path / "o")])
    assert code == 1
    assert "has a column 'fit', which --predictions would write" in capsys.readouterr().err


def test_a_singular_fit_is_done_and_has_null_limits(document, tmp_path, capsys):
    rng = np.random.default_rng(1)
    y = np.tile([0, 1, 0, 1], 10)
    table = pd.DataFrame({"y": y, "g": np.repeat(list("abcdefghij"), 4), "x": rng.normal(size=40)})
    table.to_csv(tmp_path / "flat.csv", index=False)
    code, found = document(str(tmp_path / "flat.csv"), "y ~ x + (1 | g)")
    assert code == 0
    assert found["random_effects"][0]["conf_low"] is None
    assert "The fit is singular" in found["convergence"]["singular"][0]
    assert capsys.readouterr().err.startswith("mixedlm_pt: warning: The fit is singular")
    assert "The fit is singular" in found["warnings"][0]


def test_a_fit_that_did_not_converge_ends_with_3(document, tmp_path, capsys):
    table = pd.DataFrame({"x": np.arange(40) % 8, "g": np.repeat(list("abcde"), 8)})
    table.assign(y=table["x"] > 3).to_csv(tmp_path / "separated.csv", index=False)
    code, found = document(str(tmp_path / "separated.csv"), "y ~ x + (1 | g)")
    assert code == 3
    assert not found["convergence"]["ok"]
    assert "completely separated" in found["convergence"]["problems"][0]
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "separated" in line]
    assert line.startswith("mixedlm_pt: warning: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv", "y ~ x"], "cannot read 'absent.csv': No such file or directory."),
        (["data.json", "y ~ x"], "cannot tell from the name 'data.json' what kind of table"),
        (["CBPP", "incidense / size ~ 1"], "no column 'incidense'; .* Did you mean 'incidence'"),
        (["CBPP", FORMULA, "--family", "binomal"], "unknown family 'binomal'.* Did you mean"),
        (["CBPP", FORMULA, "--link", "logot"], "Did you mean 'logit'"),
        (["CBPP", FORMULA, "--priors", "brm"], "unknown preset of priors 'brm'"),
        (["CBPP", FORMULA, "--level", "95"], "level is 95.0; it must lie between 0 and 1"),
        (["CBPP", FORMULA, "--categorical", "perid"], "categorical names a column 'perid'"),
        (["CBPP", FORMULA, "--out", "no/where.json"], "cannot write 'no/where.json': there is no"),
        (["CBPP", FORMULA, "--out", "/"], "cannot write '/': it is a folder"),
        (["CBPP", FORMULA, "--out", "/proc/x.json"], "cannot write '/proc/x.json'"),
        (["broken.csv.gz", "y ~ x"], "cannot read 'broken.csv.gz': Not a gzipped file"),
        (["empty.csv", "y ~ x"], "cannot read 'empty.csv' as a table: No columns to parse"),
        (["latin.csv", "y ~ x"], "cannot read 'latin.csv' as a table: .*codec"),
        (["ragged.csv", "y ~ x"], "cannot read 'ragged.csv' as a table: .*Expected 2 fields"),
        (["x.dta", "y ~ x", "--delimiter", ";"], "delimiter and missing are for text files"),
    ],
)
def test_an_error_is_one_line_and_ends_with_1(
    cbpp, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Path("broken.csv.gz").write_bytes(b"x,y\n1,2\n")
    Path("empty.csv").write_bytes(b"")
    Path("latin.csv").write_bytes("x,y\n1,\u00e9\n".encode("latin-1"))
    Path("ragged.csv").write_text("x,y\n1,2\n1,2,3\n")
    assert main(["fit", *[cbpp if one == "CBPP" else one for one in arguments]]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mixedlm_pt: error: ")
    assert re.search(message, line)


def test_an_error_in_a_formula_points_to_the_place(cbpp, capsys):
    assert main(["fit", cbpp, "incidence / size ~ ("]) == 1
    first, formula, caret = capsys.readouterr().err.splitlines()
    assert first == "mixedlm_pt: error: '(' is never closed"
    assert formula.index("(") == caret.index("^")


def test_a_package_that_pandas_lacks_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (tmp_path / "x.xlsx").write_bytes(b"PK\x05\x06" + bytes(18))
    assert main(["fit", str(tmp_path / "x.xlsx"), "y ~ x"]) == 1
    line = capsys.readouterr().err
    assert "cannot read" in line
    assert "openpyxl" in line or "Excel" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: COMMAND"),
        (["fit"], "arguments are required: DATA, FORMULA"),
        (["fit", "x.csv", "y ~ x", "--nagq", "two"], "invalid int value: 'two'"),
        (["fit", "x.csv", "y ~ x", "--draws", "9"], "--draws is for --sample, which is not given"),
        (["fit", "x.csv", "y ~ x", "--nsim", "9"], "--nsim is for --confint boot, which is not"),
        (["fit", "x.csv", "y ~ x", "--confint", "wald", "--jobs", "2"], "confint boot or profile"),
        (["fit", "x.csv", "y ~ x", "--predictions", "p"], "--predictions is for --predict"),
        (["fit", "x.csv", "y ~ x", "--predict", "p"], "--predict needs --predictions"),
        (["data", "--describe"], "need the NAME of a data set"),
        (["fit", "x.csv", "y ~ x", "--samp"], "unrecognized arguments: --samp"),
    ],
)
def test_a_wrong_command_ends_with_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_every_example_of_the_help_is_a_command():
    examples = f"{EXAMPLES}\n{FIT_EXAMPLES}\n{DATA_EXAMPLES}".replace("\\\n", "")
    lines = [line.split("|")[-1] if "cat " in line else line for line in examples.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if "{program}" in line]
    parser = build_parser("mixedlm_pt")
    for words in commands:
        words = words[: words.index("|")] if "|" in words and words[0] == "data" else words
        if "--help" not in words:
            assert parser.parse_args(words).command in ("fit", "data")
    assert len(commands) == 11


def test_the_help_names_every_family_link_preset_and_exit_code(capsys):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for name in (*FAMILIES, *LINKS, *PRESETS, "130  interrupted"):
        assert name in text


def test_data_sets_are_listed_and_described(capsys):
    assert main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == mlm.names()
    assert main(["data", "cbpp", "--describe"]) == 0
    assert capsys.readouterr().out == f"{mlm.describe('cbpp')}\n"
    assert main(["data", "cbp"]) == 1
    assert "Did you mean 'cbpp'?" in capsys.readouterr().err


def test_help_and_a_fit_import_no_package_that_they_do_not_need(cbpp_fit):
    # Quiet: a fit of three seconds shows its course, with rich.
    for arguments in (["--help"], ["fit", *cbpp_fit, "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "mixedlm_pt", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "mixedlm_pt.cli.parser" in imported
        heavy = {"pymc", "arviz", "nutpie", "matplotlib", "numba", "rich", "scipy.stats", "jax"}
        assert heavy & imported == set()


def test_a_reader_that_stops_early_is_no_error():
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m mixedlm_pt data VerbAgg | head -2; "
        'echo "${PIPESTATUS[0]}"',
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[2] == "0"


def test_an_interruption_before_there_is_a_result_ends_with_130(cbpp_fit, monkeypatch, capsys):
    def interrupted(*arguments, **named):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(command, "glmer", interrupted)
    # A job in the background of a shell ignores the signal.
    before = signal.getsignal(signal.SIGINT)
    assert main(["fit", *cbpp_fit]) == 130
    assert "interrupted before there was a result" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_what_was_finished_at_an_interruption_is_written(cbpp_fit, document, monkeypatch, capsys):
    whole = mlm.confint

    def keeps_what_it_has(fit, **named):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            return whole(fit, **named)
        pytest.fail("no interruption")

    monkeypatch.setattr(command, "confint", keeps_what_it_has)
    code, found = document(*cbpp_fit)
    assert code == 130
    assert found["interrupted"] is True
    assert "interrupted; the results" in capsys.readouterr().err
