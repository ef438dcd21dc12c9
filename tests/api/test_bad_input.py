"""What `glmer` says of input that it cannot use: class, culprit by name, and what to do."""

import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError
from mixedlm_pt.families import Binomial, CustomFamily, NegativeBinomial, Poisson

N_ROWS = 60


def table():
    rng = np.random.default_rng(0)
    row = np.arange(N_ROWS)
    data = pd.DataFrame(
        {
            "g": (row // 6).astype(str),
            "h": (row % 4).astype(str),
            "x": rng.normal(size=N_ROWS),
            "y": rng.integers(0, 2, N_ROWS),
            "count": rng.poisson(3.0, N_ROWS),
            "s": rng.integers(0, 9, N_ROWS),
            "n": 8,
            "w": np.where(row == 5, -2.0, 1.0),
            "one": "a",
            "empty": np.nan,
            "early": np.where(row < 30, 1.0 + row, np.nan),
            "late": np.where(row < 30, np.nan, 1.0 + row),
            "endless": np.where(row == 7, np.inf, 1.0 + row),
            "day": pd.date_range("2020-01-01", periods=N_ROWS),
        }
    )
    data["lost"] = np.where(row == 11, -1, data["count"])
    data["too_many"] = np.where(row == 3, 9, data["s"])
    return data


DATA = table()


def student(y, mean, phi):
    return -2.5 * pt.log1p((y - mean.mu) ** 2 / 4.0)


STUDENT = CustomFamily(name="student", logp=student, link="identity")


def fit(formula="y ~ x + (1 | g)", data=DATA, family="binomial", **arguments):
    return mlm.glmer(formula, data, family, **arguments)


def refused(error, message, **arguments):
    """A row of the tables below."""
    label = ", ".join(f"{name}={str(value)[:30]}" for name, value in arguments.items())
    return pytest.param(error, message, arguments, id=label)


DATA_AT_FAULT = [
    refused(ColumnNotFoundError, "no column 'xx'.*Did you mean 'x'", formula="y ~ xx + (1 | g)"),
    refused(ColumnNotFoundError, "no column 'herd'", formula="y ~ x + (1 | herd)"),
    refused(ColumnNotFoundError, "no column 'trials'", weights="trials"),
    refused(ColumnNotFoundError, "no column 'exposure'", offset="exposure"),
    refused(
        DataError,
        r"response 'lost' has 1 value outside the support of poisson \(non-negative integers\), "
        "first at row 11: -1",
        formula="lost ~ x + (1 | g)",
        family="poisson",
    ),
    refused(DataError, "'y' has .* outside the support of gamma .positive", family="gamma"),
    refused(DataError, "For counts of successes write", formula="s ~ x + (1 | g)"),
    refused(
        DataError,
        "'too_many / n' has more successes than trials in 1 row, first at row 3: 9 of 8",
        formula="too_many / n ~ x + (1 | g)",
    ),
    refused(
        DataError,
        r"cbind\(s, 5 - s\)' has more successes than trials",
        formula="cbind(s, 5 - s) ~ x + (1 | g)",
    ),
    refused(DataError, "weights has 1 value that is negative, first at row 5: -2", weights="w"),
    refused(DataError, "weights has 60 values that are not finite", weights=[np.nan] * N_ROWS),
    refused(DataError, "every row has weight 0", weights=[0.0] * N_ROWS),
    refused(DataError, "offset is inf at row 0", offset=[np.inf] * N_ROWS),
    refused(
        DataError,
        r"grouping factor 'one' has 1 level; .* Drop \(1 \| one\)",
        formula="y ~ x + (1 | one)",
    ),
    refused(DataError, "factor 'one' has only the level 'a'", formula="y ~ one + (1 | g)"),
    refused(DataError, "'empty' has no values: all 60", formula="y ~ empty + (1 | g)"),
    refused(DataError, "no rows are left .*'early'", formula="y ~ early + late + (1 | g)"),
    refused(DataError, "'endless' is infinite in 1 of 60", formula="y ~ endless + (1 | g)"),
    refused(DataError, r"log\(x\) is not a number at row", formula="y ~ log(x) + (1 | g)"),
    refused(
        DataError,
        "response 'endless' .* outside the support of gaussian",
        formula="endless ~ x + (1 | g)",
        family="gaussian",
    ),
    refused(DataError, "'day' has type datetime", formula="y ~ day + (1 | g)"),
    refused(
        DataError, "missing values in 'early'", formula="y ~ early + (1 | g)", na_action="fail"
    ),
    refused(DataError, "the data have no rows", data=DATA.iloc[:0]),
    refused(DataError, "the columns do not make a table", data={"y": [0, 1], "x": [1.0]}),
    refused(ArgumentError, "data is a list; give a pandas or polars DataFrame", data=[1, 2]),
    refused(ArgumentError, "data is a NoneType", data=None),
]

FORMULA_AT_FAULT = [
    refused(
        FormulaError,
        r"'\(' is never closed\n    y ~ x \+ \(1 \| g\n {12}\^",
        formula="y ~ x + (1 | g",
    ),
    refused(FormulaError, r"expected a term after '\+'\n.*\n {12}\^", formula="y ~ x + * g"),
    refused(FormulaError, "expected an operator between '1' and 'g'", formula="y ~ x + (1 g)"),
    refused(FormulaError, "needs a response and a '~'", formula="y + x"),
    refused(FormulaError, "cannot start with '~'", formula="~ x + (1 | g)"),
    refused(FormulaError, "the formula is empty", formula=""),
    refused(FormulaError, r"cannot call foo\(\)", formula="y ~ foo(x) + (1 | g)"),
    refused(FormulaError, "not 3$", formula=3),
    refused(
        FormulaError,
        r"\(1 \| g\) and \(1 \| g\) both give grouping factor 'g' the column",
        formula="y ~ x + (1 | g) + (1 | g)",
    ),
    refused(
        FormulaError,
        r"\(x \| g\) and \(1 \| g\) both give",
        formula="y ~ x + (x | g) + (1 | g)",
    ),
]

ARGUMENT_AT_FAULT = [
    refused(ArgumentError, "unknown family 'binomal'.*Did you mean 'binomial'", family="binomal"),
    refused(ArgumentError, "family is None; it must be a name", family=None),
    refused(ArgumentError, r"weights has shape \(3,\), but the data have 60", weights=[1, 2, 3]),
    refused(ArgumentError, "offset is not numeric", offset=["a"] * N_ROWS),
    refused(ArgumentError, "nAGQ is -1; it must be an integer from 0 to 100", nAGQ=-1),
    refused(ArgumentError, "nAGQ is 101;", nAGQ=101),
    refused(ArgumentError, "nAGQ is 1.5;", nAGQ=1.5),
    refused(ArgumentError, "nAGQ is True;", nAGQ=True),
    refused(ArgumentError, r"nAGQ=5 needs .* has \(x \| g\)", formula="y ~ x + (x | g)", nAGQ=5),
    refused(
        ArgumentError,
        r"nAGQ=5 needs .* has \(1 \| g\), \(1 \| h\)",
        formula="y ~ x + (1 | g) + (1 | h)",
        nAGQ=5,
    ),
    refused(ArgumentError, "nAGQ=5 needs .* has none", formula="y ~ x", nAGQ=5),
    refused(ArgumentError, "unknown backend 'nmba'.*Did you mean 'numba'", backend="nmba"),
    refused(ArgumentError, "unknown na_action 'omitt'.*Did you mean 'omit'", na_action="omitt"),
    refused(ArgumentError, "control is {'maxfun': 5}; it must be a Glmer", control={"maxfun": 5}),
    refused(
        ArgumentError,
        "laplace_weights is 'expected', but the score of family 'student' is not linear",
        formula="x ~ y + (1 | g)",
        family=STUDENT,
        control=mlm.GlmerControl(laplace_weights="expected"),
    ),
    refused(
        ArgumentError, r"start\['theta'\] has 2 values; this model has 1", start={"theta": [1, 2]}
    ),
    refused(ArgumentError, "unknown name in start 'thta'.*Did you mean 'theta'", start={"thta": 1}),
    refused(
        ArgumentError, r"start\['fixef'\] is \[1, nan\]; .* finite", start={"fixef": [1, np.nan]}
    ),
    refused(ArgumentError, r"start\['fixef'\] is 'a'; it must hold numbers", start={"fixef": "a"}),
    refused(ArgumentError, r"start\['phi'\] has 1 values; this model has 0", start={"phi": 1.0}),
    refused(
        ArgumentError,
        r"start\['phi'\] is -1; its values must be positive",
        formula="count ~ x + (1 | g)",
        family="nbinom2",
        start={"phi": -1},
    ),
    refused(ArgumentError, r"start is \[1, 2\]; it must be a fit or a mapping", start=[1, 2]),
]


@pytest.mark.parametrize(
    ("error", "message", "arguments"), DATA_AT_FAULT + FORMULA_AT_FAULT + ARGUMENT_AT_FAULT
)
def test_the_message_names_the_culprit(error, message, arguments):
    with pytest.raises(error, match=message):
        fit(**arguments)


CONSTANT = [
    ("gaussian", 2.5),
    ("binomial", 0.0),
    ("binomial", 1.0),
    ("poisson", 0.0),
    ("poisson", 2.0),
    ("nbinom2", 0.0),
    ("gamma", 2.5),
    ("inverse.gaussian", 2.5),
    ("quasibinomial", 1.0),
    ("quasipoisson", 2.0),
]


@pytest.mark.parametrize(("family", "value"), CONSTANT)
def test_a_constant_response_is_refused_by_every_family(family, value):
    data = DATA.assign(flat=value)
    with pytest.raises(DataError, match=f"response 'flat' is constant .{value:.6g} in every row"):
        mlm.glmer("flat ~ x + (1 | g)", data, family)


def test_a_constant_proportion_is_refused():
    data = DATA.assign(four=4)
    with pytest.raises(DataError, match=r"response 'four / n' is constant \(0.5 in every row"):
        mlm.glmer("four / n ~ x + (1 | g)", data)


@pytest.mark.parametrize(
    ("family", "link", "message"),
    [
        (
            Poisson,
            "logit",
            "link 'logit' is not available for poisson; allowed: log, sqrt, identity",
        ),
        (Binomial, "logti", "unknown link 'logti'.*Did you mean 'logit'"),
        (NegativeBinomial, "probit", "link 'probit' is not available for negative_binomial"),
    ],
)
def test_a_link_that_is_not_the_familys_is_refused(family, link, message):
    with pytest.raises(ArgumentError, match=message):
        family(link=link)


@pytest.mark.parametrize("theta", [0, -1.0, np.nan, np.inf, "a"])
def test_glmer_nb_needs_a_positive_theta(theta):
    with pytest.raises(ArgumentError, match=r"theta is .*; it must be a positive, finite number"):
        mlm.glmer_nb("count ~ x + (1 | g)", DATA, theta=theta)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "optimizer",
            ["bobyqua", None, ["BFGS"]],
            "unknown optimizer .* known: quasi-newton, BFGS",
        ),
        ("laplace_weights", ["expectd", None], "unknown laplace_weights"),
        ("maxfun", [0, 2.5, "many", True], "maxfun is .* must be a positive integer"),
        ("tol", [0.0, -1.0, np.nan, np.inf, "a", None], "tol is .* a positive, finite number"),
        ("check_conv", [0, "no"], "check_conv is .* a positive, finite number"),
        ("check_singular", ["no", 1], "check_singular is .* True or False"),
        ("nAGQ0initStep", [None], "nAGQ0initStep is None; .* True or False"),
    ],
)
def test_control_refuses_values_that_are_not_allowed(name, values, message):
    for value in values:
        with pytest.raises(ArgumentError, match=message):
            mlm.GlmerControl(**{name: value})


def test_numpy_numbers_are_numbers():
    control = mlm.GlmerControl(maxfun=np.int64(50), tol=np.float32(1e-9))
    fit = mlm.glmer("y ~ x + (1 | g)", DATA, nAGQ=np.int64(3), control=control)
    assert fit.approximation.nAGQ == 3
