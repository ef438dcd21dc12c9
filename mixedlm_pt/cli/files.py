"""Tables from files, and files that are written whole."""

import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, MissingPackageError

STDIN = "-"
# R's own mark and NumPy's. Words such as "None" and "null", which pandas also takes for missing,
# are levels of a factor more often.
MISSING = ("NA", "NaN", "nan")

type Reader = Callable[..., pd.DataFrame]

# Suffix: what reads it, and the delimiter of text.
READERS: Mapping[str, tuple[Reader, str | None]] = {
    ".csv": (pd.read_csv, ","),
    ".tsv": (pd.read_csv, "\t"),
    ".parquet": (pd.read_parquet, None),
    ".feather": (pd.read_feather, None),
    ".dta": (pd.read_stata, None),
    ".xlsx": (pd.read_excel, None),
}
COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
# pandas' errors of parsing are ValueErrors, and so is a wrong encoding; then broken archives.
UNREADABLE = (ValueError, OverflowError, EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)


def read_table(
    name: str,
    categorical: Sequence[str] = (),
    delimiter: str | None = None,
    missing: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rows of a file.

    Parameters
    ----------
    name : str
        Its suffix says how it is read; ``"-"`` is CSV from standard input.
    categorical : sequence of str
        Columns, if they are there, whose values are categories, also where they look like numbers.
        In a text file they are read as they are written: ``007`` is not ``7``.
    delimiter : str, optional
        Of a text file, in place of that of its suffix.
    missing : sequence of str, optional
        What stands for a missing value in a text file, besides an empty field.

    Returns
    -------
    DataFrame
        Categories are strings, which a formula takes as a factor with levels in natural order.

    Raises
    ------
    ArgumentError
        For an unknown suffix, or options that the kind of file does not have.
    DataError
        If the file cannot be read as a table.
    MissingPackageError
        If pandas needs another package for it.
    """
    reader, default = reader_of(name)
    options: dict[str, Any] = {}
    if default is not None:
        options = {
            "sep": delimiter or default,
            "dtype": dict.fromkeys(categorical, str),
            "keep_default_na": False,
            "na_values": ["", *(MISSING if missing is None else missing)],
            # One type for a whole column, not one for every part of a long file.
            "low_memory": False,
        }
    elif delimiter is not None or missing is not None:
        raise ArgumentError(f"delimiter and missing are for text files, which {name!r} is not.")
    try:
        table = reader(sys.stdin if name == STDIN else name, **options)
    except ImportError as error:
        raise MissingPackageError(f"cannot read {name!r}: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"cannot read {name!r}: {reason}.") from error
    except UNREADABLE as error:
        reason = str(error).strip().rstrip(".")
        raise DataError(f"cannot read {name!r} as a table: {reason}.") from error
    numeric = [
        column
        for column in categorical
        if column in table and pd.api.types.is_numeric_dtype(table[column].dtype)
    ]
    return table.assign(**{column: table[column].astype("category") for column in numeric})


def check_categorical(table: pd.DataFrame, categorical: Sequence[str]) -> None:
    """Refuse names of columns that a table does not have.

    Raises
    ------
    ColumnNotFoundError
    """
    columns = [str(column) for column in table]
    for name in categorical:
        if name not in columns:
            raise ColumnNotFoundError(
                f"categorical names a column {name!r}; the data have {', '.join(columns)}."
            )


def reader_of(name: str) -> tuple[Reader, str | None]:
    """What reads a file, and the delimiter if it is text."""
    if name == STDIN:
        return READERS[".csv"]
    path = Path(name.lower())
    suffix = Path(path.stem).suffix if path.suffix in COMPRESSED else path.suffix
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise ArgumentError(
            f"cannot tell from the name {name!r} what kind of table it is; known: {known}, and "
            f"text compressed as {', '.join(COMPRESSED)}. Rename it, or send CSV to standard input "
            "and give '-'."
        )
    return READERS[suffix]


def check_folder(name: str) -> None:
    """Refuse a file that cannot be written, before the work that it is for.

    Raises
    ------
    ArgumentError
        If its folder does not exist, or it is a folder itself.
    """
    path = Path(name)
    if not path.parent.is_dir():
        raise ArgumentError(f"cannot write {name!r}: there is no folder {str(path.parent)!r}.")
    if path.is_dir():
        raise ArgumentError(f"cannot write {name!r}: it is a folder.")


def write_text(name: str, text: str) -> None:
    """Write a file.

    Raises
    ------
    ArgumentError
        If that fails; the message says why.
    """
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArgumentError(f"cannot write {name!r}: {error.strerror or error}.") from error
