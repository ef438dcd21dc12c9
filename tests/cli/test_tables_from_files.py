"""Files of every kind become the tables that they were."""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.cli import main
from mixedlm_pt.cli.files import read_table


def test_integers_are_numbers_unless_they_are_called_categorical(cbpp, cbpp_fit, document):
    _, slope = document(*cbpp_fit[:2])
    _, factor = document(*cbpp_fit)
    assert [row["term"] for row in slope["coefficients"]] == ["(Intercept)", "period"]
    assert [row["term"] for row in factor["coefficients"]][1:] == ["period2", "period3", "period4"]


def test_categories_are_read_as_they_are_written(cbpp_fit, document, tmp_path):
    data = mlm.load_cbpp()
    path = tmp_path / "codes.csv"
    # As numbers 07 and 7 would be one herd.
    herds = data["herd"].astype(str).replace({"1": "07"})
    data.assign(herd=herds).to_csv(path, index=False)
    _, found = document(str(path), *cbpp_fit[1:], "--categorical", "herd")
    assert found["groups"] == {"herd": 15}
    _, merged = document(str(path), *cbpp_fit[1:])
    assert merged["groups"] == {"herd": 14}


def test_only_na_and_empty_fields_are_missing(cbpp_fit, document, tmp_path):
    data = mlm.load_cbpp().astype({"herd": object})
    data.loc[data["herd"] == "1", "herd"] = "None"
    data.loc[data["herd"] == "2", "herd"] = "NA"
    data.loc[data["herd"] == "3", "herd"] = ""
    data.to_csv(tmp_path / "gaps.csv", index=False)
    _, found = document(str(tmp_path / "gaps.csv"), *cbpp_fit[1:])
    gone = int(mlm.load_cbpp()["herd"].isin(["2", "3"]).sum())
    assert found["groups"] == {"herd": 13}
    assert found["data"]["rows_omitted"] == gone
    assert found["data"]["rows_used"] == 56 - gone
    _, marked = document(
        str(tmp_path / "gaps.csv"), *cbpp_fit[1:], "--missing", "None", "--missing", "NA"
    )
    assert marked["groups"] == {"herd": 12}


@pytest.mark.parametrize("name", mlm.names())
def test_a_data_set_comes_back_from_its_file(tmp_path, capsys, name):
    assert main(["data", name]) == 0
    path = tmp_path / "data.csv"
    path.write_text(capsys.readouterr().out)
    original = mlm.datasets.load(name)
    factors = [c for c in original if isinstance(original[c].dtype, pd.CategoricalDtype)]
    read = read_table(str(path), factors)
    for column, expected in original.items():
        if column in factors:
            assert read[column].tolist() == expected.astype(str).tolist()
        else:
            assert read[column].dtype == expected.dtype
            # Older versions of pandas read some numbers one unit in the last place off.
            assert np.allclose(read[column], expected, rtol=5e-16, atol=0.0)


@pytest.mark.parametrize("name", ["cbpp.tsv", "cbpp.csv.gz", "cbpp.dta", "CBPP.CSV"])
def test_the_suffix_says_how_a_file_is_read(cbpp_fit, document, tmp_path, name):
    path, data = tmp_path / name, mlm.load_cbpp()
    if name.endswith("dta"):
        data.to_stata(path, write_index=False)
    else:
        data.to_csv(path, index=False, sep="\t" if name.endswith("tsv") else ",")
    _, found = document(str(path), *cbpp_fit[1:])
    assert found["criteria"]["logLik"] == pytest.approx(-92.02628, abs=1e-5)


def test_numbers_of_other_files_can_be_categories_too(cbpp_fit, document, tmp_path):
    data = mlm.load_cbpp()
    data.assign(period=data["period"].astype(int)).to_stata(tmp_path / "x.dta", write_index=False)
    _, found = document(str(tmp_path / "x.dta"), *cbpp_fit[1:])
    assert len(found["coefficients"]) == 4


def test_standard_input_and_another_delimiter(cbpp, cbpp_fit, document, monkeypatch):
    text = Path(cbpp).read_text().replace(",", ";")
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    code, found = document("-", *cbpp_fit[1:], "--delimiter", ";")
    assert code == 0
    assert found["criteria"]["logLik"] == pytest.approx(-92.02628, abs=1e-5)
