"""Starting values, control and nAGQ."""

from mixedlm_pt.errors import ArgumentError, ConvergenceWarning, EstimationError, SingularFitWarning
from tests.errors.case import Case

CASES = (
    Case(
        "unknown starting value",
        'mlm.glmer(formula, cbpp, start={"beta": [0, 0, 0, 0]})',
        ArgumentError,
        "unknown name in start 'beta'; known: fixef, theta, phi. Did you mean 'theta'?",
        instead='mlm.glmer(formula, cbpp, start={"fixef": [0, 0, 0, 0]})',
    ),
    Case(
        "too many starting values",
        'mlm.glmer(formula, cbpp, start={"theta": [1, 2]})',
        ArgumentError,
        "start['theta'] has 2 values; this model has 1.",
    ),
    Case(
        "starting values that are not finite",
        'mlm.glmer(formula, cbpp, start={"fixef": [0, np.nan, 0, 0]})',
        ArgumentError,
        "start['fixef'] is [0, nan, 0, 0]; its values must be finite.",
    ),
    Case(
        "starting values without names",
        "mlm.glmer(formula, cbpp, start=[0.5])",
        ArgumentError,
        "start is [0.5]; it must be a fit or a mapping such as {'theta': [0.5]}.",
        instead='mlm.glmer(formula, cbpp, start={"theta": [0.5]})',
    ),
    Case(
        "starting values far off",
        'mlm.glmer(formula, cbpp, start={"theta": 1e300})',
        EstimationError,
        "the log-likelihood cannot be evaluated at the starting values; give start=, "
        "rescale the predictors or choose another link.",
    ),
    Case(
        "control as a mapping",
        'mlm.glmer(formula, cbpp, control={"maxfun": 500})',
        ArgumentError,
        "control is {'maxfun': 500}; it must be a GlmerControl, such as GlmerControl(maxfun=5000).",
        instead="mlm.glmer(formula, cbpp, control=mlm.GlmerControl(maxfun=500))",
    ),
    Case(
        "unknown optimiser",
        'mlm.GlmerControl(optimizer="bobyqa")',
        ArgumentError,
        "unknown optimizer 'bobyqa'; known: quasi-newton, BFGS, L-BFGS-B, SLSQP, TNC, "
        "CG, Nelder-Mead, Powell, COBYQA. Did you mean 'COBYQA'?",
        instead='mlm.GlmerControl(optimizer="COBYQA")',
    ),
    Case(
        "evaluations that are no integer",
        "mlm.GlmerControl(maxfun=1e5)",
        ArgumentError,
        "maxfun is 100000.0; it must be a positive integer.",
    ),
    Case(
        "tolerance of zero",
        "mlm.GlmerControl(tol=0)",
        ArgumentError,
        "tol is 0; it must be a positive, finite number.",
    ),
    Case(
        "unknown Laplace weights",
        'mlm.GlmerControl(laplace_weights="fisher")',
        ArgumentError,
        "unknown laplace_weights 'fisher'; known: observed, expected.",
    ),
    Case(
        "warning switched off by a word",
        'mlm.GlmerControl(check_singular="ignore")',
        ArgumentError,
        "check_singular is 'ignore'; it must be True or False.",
        instead="mlm.GlmerControl(check_singular=False)",
    ),
    Case(
        "unknown backend",
        'mlm.glmer(formula, cbpp, backend="jax")',
        ArgumentError,
        "unknown backend 'jax'; known: auto, numpy, numba.",
    ),
    Case(
        "verbose by a word",
        'mlm.glmer(formula, cbpp, verbose="yes")',
        ArgumentError,
        "verbose is 'yes'; it must be an integer of at least 0.",
    ),
    Case(
        "negative nAGQ",
        "mlm.glmer(formula, cbpp, nAGQ=-1)",
        ArgumentError,
        "nAGQ is -1; it must be an integer from 0 to 100.",
    ),
    Case(
        "nAGQ that is no integer",
        "mlm.glmer(formula, cbpp, nAGQ=5.0)",
        ArgumentError,
        "nAGQ is 5.0; it must be an integer from 0 to 100.",
    ),
    Case(
        "nAGQ too large",
        "mlm.glmer(formula, cbpp, nAGQ=1000)",
        ArgumentError,
        "nAGQ is 1000; it must be an integer from 0 to 100.",
    ),
    Case(
        "nAGQ with two grouping factors",
        'mlm.glmer("incidence / size ~ (1 | herd) + (1 | period)", cbpp, nAGQ=5)',
        ArgumentError,
        "nAGQ=5 needs exactly one random-effects term with one column, such as (1 | g); "
        "this model has (1 | herd), (1 | period). Use nAGQ=1, the Laplace approximation.",
    ),
    Case(
        "nAGQ with a random slope",
        'mlm.glmer("incidence / size ~ (size | herd)", cbpp, nAGQ=5)',
        ArgumentError,
        "nAGQ=5 needs exactly one random-effects term with one column, such as (1 | g); "
        "this model has (size | herd). Use nAGQ=1, the Laplace approximation.",
    ),
    Case(
        "fit that is singular",
        'mlm.glmer("(incidence > 0) ~ period + (1 | herd)", cbpp)',
        SingularFitWarning,
        "The fit is singular: the standard deviation of (Intercept) in (1 | herd) is "
        "zero. The estimates are valid and at the edge of the parameter space. A simpler "
        "term may fit as well: compare it by anova().",
    ),
    Case(
        "response that is separated",
        'mlm.glmer("incidence / size ~ first + (1 | herd)", cbpp.assign(first=cbpp.index == 3))',
        ConvergenceWarning,
        "The likelihood rises without end in the coefficient of firstTRUE: the response "
        "is completely separated there (a category with only failures or zeros, say, or "
        "a value of x that divides failures from successes). The estimate is infinite "
        "and its standard error and test mean nothing. Merge categories, drop the term, "
        "or use priors, such as priors={'coefficients': Normal(0.0, 2.5)}.",
    ),
)
