"""Data sets by name: their rows and their descriptions."""

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pandas as pd

from mixedlm_pt.datasets.catalogue import DATASETS
from mixedlm_pt.datasets.dataset import Dataset
from mixedlm_pt.errors import unknown_name

DATA = Path(__file__).with_name("data")


def names() -> list[str]:
    """Names of the data sets, in alphabetical order.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "cbpp" in names()
    True
    """
    return sorted(DATASETS, key=str.lower)


def describe(name: str) -> Dataset:
    """Title, columns and source of a data set.

    Parameters
    ----------
    name : str
        One of `names`; upper and lower case are the same.

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError
        There is no such data set; the message names the nearest.

    Examples
    --------
    >>> print(describe("sleepstudy"))
    sleepstudy: Reaction times in a sleep deprivation study
    180 rows, 3 columns; load_sleepstudy()
    <BLANKLINE>
      Reaction  real    average reaction time of the day, ms
      Days      integer days of sleep deprivation
      Subject   factor  subject
    <BLANKLINE>
    Source: R package lme4 (Bates, Maechler, Bolker & Walker 2015, ...
    """
    by_lower = {known.lower(): dataset for known, dataset in DATASETS.items()}
    try:
        return by_lower[str(name).lower()]
    except KeyError:
        raise unknown_name("data set", name, names()) from None


def load(name: str) -> pd.DataFrame:
    """Rows of a data set, a new data frame at every call.

    Parameters
    ----------
    name : str
        One of `names`; upper and lower case are the same.

    Returns
    -------
    DataFrame
        Factors are Categoricals whose levels are strings in R's order; numbers are int64 or
        float64.

    Raises
    ------
    ArgumentError
        There is no such data set; the message names the nearest.

    Examples
    --------
    >>> load("cbpp").shape
    (56, 4)
    """
    dataset = describe(name)
    # No NA filter: the files have no missing values, but a level "none".
    text = pd.read_csv(DATA / dataset.file_name, dtype=str, na_filter=False)
    return pd.DataFrame(
        {column: facts.typed(text[column]) for column, facts in dataset.columns.items()}
    )


def loader(name: str) -> Callable[[], pd.DataFrame]:
    """Function without arguments that loads one data set, documented from its description."""
    dataset = describe(name)

    def load_rows() -> pd.DataFrame:
        return load(name)

    load_rows.__name__ = load_rows.__qualname__ = dataset.loader_name
    load_rows.__doc__ = (
        f"{dataset.title}.\n\n::\n\n{indent(str(dataset), '    ')}\n\n"
        f"Returns\n-------\nDataFrame, shape ({dataset.n_rows}, {len(dataset.columns)})\n"
        "    A new data frame at every call.\n"
    )
    return load_rows
