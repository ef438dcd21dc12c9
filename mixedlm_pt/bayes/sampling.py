"""Draws from the posterior, started at the maximum-likelihood fit."""

import contextlib
import sys
import time
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.bayes.priors import (
    PriorsArgument,
    intercept_of,
    link_unit,
    make_priors,
    predictor_means,
)
from mixedlm_pt.bayes.pymc_model import PosteriorModel, build_pymc, term_columns
from mixedlm_pt.errors import unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM

SAMPLERS = ("nutpie", "pymc")
# A sampler starts inside the parameter space: at this share of a typical effect where the ML
# standard deviation is smaller, and with correlations shrunk by this share towards zero where an
# effect has a smaller share of its own.
START = 0.1
# Up to this many numbers the data are compiled into the function, which halves the compiler's
# work; above, the constants themselves would be work for it.
MAX_CONSTANTS = 20_000


def sample(
    fit: Fit,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    random_seed: int | None = None,
    priors: PriorsArgument = None,
    sampler: str | None = None,
    progressbar: bool = True,
    **kwargs: Any,
) -> PosteriorResult:
    """Draws from the posterior of the fitted model by NUTS.

    The sampler starts at the fit, jittered for each chain. The first call for a model compiles it,
    which takes longer than the sampling of a small one; the compiled pieces are kept on disk.

    Parameters
    ----------
    fit : Fit
    draws, tune : int
        Draws that are kept, and steps of adaptation before them, for each chain.
    chains : int
    cores : int, optional
        Chains that run at the same time.
    random_seed : int, optional
    priors : Priors, str or mapping, optional
        As in `to_pymc`.
    sampler : {"nutpie", "pymc"}, optional
        ``nutpie`` where it is installed.
    progressbar : bool
        Say what is going on.
    **kwargs
        Further arguments of `nutpie.sample` or `pymc.sample`.

    Returns
    -------
    PosteriorResult
        ``.data`` is the ArviZ DataTree.

    Raises
    ------
    ArgumentError
        For an unknown sampler, preset or parameter, or a family that has no likelihood.
    """
    if sampler is None:
        sampler = SAMPLERS[0] if find_spec("nutpie") is not None else SAMPLERS[1]
    if sampler not in SAMPLERS:
        raise unknown_name("sampler", sampler, SAMPLERS)
    posterior = build_pymc(fit.model, make_priors(fit.model, priors))
    start = starting_values(fit, posterior)
    run = sample_nutpie if sampler == "nutpie" else sample_pymc
    settings = {"draws": draws, "tune": tune, "chains": chains, "cores": cores}
    seconds, data = run(posterior, start, settings, random_seed, progressbar, kwargs)
    return PosteriorResult(fit, posterior.priors, data, sampler, "full", tune, *seconds)


def sample_nutpie(
    posterior: PosteriorModel,
    start: dict[str, Any],
    settings: dict[str, Any],
    seed: int | None,
    progressbar: bool,
    kwargs: dict[str, Any],
) -> tuple[tuple[float, float], Any]:
    """Seconds of compilation and of sampling, and the draws."""
    import nutpie

    began = time.perf_counter()
    title = f"Compiling the posterior of {posterior.model.design.formula} ..."
    with announced(title, progressbar), warnings.catch_warnings():
        # PyTensor's own limit; it then compiles two loops instead of one.
        warnings.filterwarnings("ignore", message="Loop fusion failed", category=UserWarning)
        compiled = nutpie.compile_pymc_model(
            posterior.pymc,
            initial_points=start,
            freeze_model=n_numbers(posterior.model) <= MAX_CONSTANTS,
        )
    compiled_at = time.perf_counter()
    arguments = {"save_warmup": False, "progress_bar": progressbar} | kwargs
    data = nutpie.sample(compiled, seed=seed, **settings, **arguments)
    return (compiled_at - began, time.perf_counter() - compiled_at), data


def sample_pymc(
    posterior: PosteriorModel,
    start: dict[str, Any],
    settings: dict[str, Any],
    seed: int | None,
    progressbar: bool,
    kwargs: dict[str, Any],
) -> tuple[tuple[float, float], Any]:
    """Seconds of compilation and of sampling, and the draws."""
    import pymc as pm

    began = time.perf_counter()
    arguments = {"nuts_sampler": "pymc", "initvals": start, "compute_convergence_checks": False}
    data = pm.sample(
        model=posterior.pymc,
        random_seed=seed,
        progressbar=progressbar,
        **settings,
        **(arguments | kwargs),
    )
    sampling = float(data["posterior"].attrs["sampling_time"])
    return (time.perf_counter() - began - sampling, sampling), data


@contextlib.contextmanager
def announced(message: str, shown: bool) -> Any:
    """Print the message, and how long the block took."""
    began = time.perf_counter()
    if shown:
        print(message, end=" ", flush=True, file=sys.stderr)
    yield
    if shown:
        print(f"{time.perf_counter() - began:.1f} s", flush=True, file=sys.stderr)


def n_numbers(model: GLMM) -> int:
    """How many numbers the data are."""
    return model.n * (model.p + 3 + 2 * sum(model.term_widths))


def starting_values(fit: Fit, posterior: PosteriorModel) -> dict[str, Any]:
    """The fit as values of the PyMC model's free variables, by name."""
    model = fit.model
    beta, means = fit.beta.copy(), predictor_means(model)
    if means.any():
        beta[intercept_of(model)] += means @ fit.beta
    values: dict[str, Any] = {"beta": beta, "beta_centred": beta}
    smallest = START * link_unit(model)
    for f, factor in enumerate(model.design.factors):
        sds = []
        for t, _ in term_columns(model, f):
            sd, cholesky = interior(fit.Lambda[t], smallest)
            sds.append(sd)
            values[f"cholesky[{model.design.terms[t].label}]"] = cholesky
        values[f"sd_{factor.name}"] = np.concatenate(sds)
        values[f"u_{factor.name}"] = fit.u[model.u_slices[f]].reshape(factor.n_levels, -1)
    dispersion = Dispersion.of(model)
    if dispersion is not None:
        values[dispersion.name] = dispersion.from_phi(fit.phi)
    # Priors of several classes make scalars "sd_herd[x]" of the vector "sd_herd".
    dims = posterior.pymc.named_vars_to_dims
    for name in [name for name in values if name in dims and np.ndim(values[name]) == 1]:
        labels = posterior.pymc.coords[dims[name][0]]
        values |= {f"{name}[{k}]": v for k, v in zip(labels, values[name], strict=True)}
    free = {variable.name for variable in posterior.pymc.free_RVs}
    return {name: value for name, value in values.items() if name in free}


def interior(Lambda: FloatArray, smallest: float) -> tuple[FloatArray, FloatArray]:
    """Standard deviations and Cholesky factor of the correlations, moved off the boundary."""
    sd = np.linalg.norm(Lambda, axis=1)
    rows = Lambda / np.where(sd > 0.0, sd, 1.0)[:, None]
    if np.diag(rows).min() < START:
        R = (1.0 - START) * (rows @ rows.T)
        np.fill_diagonal(R, 1.0)
        rows = np.linalg.cholesky(R)
    return np.maximum(sd, smallest), rows
