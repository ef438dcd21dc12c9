"""Draws from the posterior, started at the maximum-likelihood fit."""

import contextlib
import os
import sys
import time
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from mixedlm_pt.arguments import checked_random_seed, positive_integer, probability
from mixedlm_pt.bayes.coordinates import Inside
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.joint_target import JointTarget
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.marginal_target import sample_marginal
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.bayes.prior_choice import PriorsArgument, make_priors
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.bayes.pymc_model import PosteriorModel, build_pymc, require_posterior
from mixedlm_pt.bayes.whitened_sampling import run_nutpie, sample_joint
from mixedlm_pt.compile.written_out import NotCompilableError
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM

# Samplers of every target, its default first, and steps of adaptation that they take by default:
# the coordinates of the marginal targets are few and whitened.
SAMPLERS = {
    "full": ("nutpie", "pymc", "numpyro", "blackjax"),
    "laplace": ("importance", "nutpie"),
    "agq": ("importance", "nutpie"),
}
TUNE = {"full": 1000, "laplace": 200, "agq": 200}
# Up to this many numbers the data are compiled into the function, which halves the compiler's
# work; above, the constants themselves would be work for it.
MAX_CONSTANTS = 20_000

type Seconds = tuple[float, float]


def sample(
    fit: Fit,
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    cores: int | None = None,
    random_seed: int | None = None,
    priors: PriorsArgument = None,
    *,
    target: str = "full",
    sampler: str | None = None,
    progressbar: bool = True,
    **kwargs: Any,
) -> PosteriorResult:
    """Draws from the posterior of the fitted model.

    ``nutpie`` moves in coordinates that the fit has whitened: at its mode, with its information as
    mass matrix and the random effects following the parameters; the density is compiled to machine
    code within a second. Models whose family or priors that cannot express, and the other
    samplers, run on the model of `to_pymc`, started at the fit; its compilation takes longer.

    Interrupting keeps what has been drawn.

    Parameters
    ----------
    fit : Fit
    draws, tune : int
        Draws that are kept, and steps of adaptation before them, for each chain; by default 1000
        of both, and 200 for the marginal targets.
    chains : int
    cores : int, optional
        Chains that run at the same time; all processors by default.
    random_seed : int, optional
    priors : Priors, str or mapping, optional
        As in `to_pymc`; the fit's own where it was fitted with priors.
    target : {"full", "laplace", "agq"}
        What is drawn from: parameters and random effects together; or the parameters alone with
        the random effects integrated out by Laplace's approximation or by quadrature, and then
        drawn from their conditional distribution with importance weights.
    sampler : {"nutpie", "pymc", "numpyro", "blackjax", "importance"}, optional
        ``nutpie`` by default. The marginal targets have ``importance``, their default: independent
        draws from a Student t fitted to the target, weighted, ten times as fast as NUTS where
        parameters are few; and ``nutpie``.
    progressbar : bool
        Say what is going on.
    **kwargs
        Further arguments of `nutpie.sample` or `pymc.sample`, such as ``target_accept``. For the
        marginal targets also ``correct`` (default True: weighted so that the draws are of the exact
        posterior) and ``nAGQ``, see `sample_marginal`.

    Returns
    -------
    PosteriorResult
        ``.data`` is the ArviZ DataTree.

    Raises
    ------
    ArgumentError
        For an unknown sampler, target, preset or parameter, a number that is not a positive
        integer, a package that is not installed, or a family that has no likelihood.
    """
    if target not in SAMPLERS:
        raise unknown_name("target", target, SAMPLERS)
    sampler = SAMPLERS[target][0] if sampler is None else sampler
    if sampler not in SAMPLERS[target]:
        raise unknown_name("sampler", sampler, SAMPLERS[target])
    tune = TUNE[target] if tune is None else tune
    for name, number in (("draws", draws), ("tune", tune), ("chains", chains)):
        positive_integer(name, number)
    if cores is not None:
        positive_integer("cores", cores)
    random_seed = checked_random_seed(random_seed)
    if "target_accept" in kwargs:
        probability("target_accept", kwargs["target_accept"])
    require_posterior(fit.model)
    own = make_priors(fit.model, priors if priors is not None else getattr(fit, "priors", None))
    settings: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains}
    settings["cores"] = cores or os.cpu_count()
    arguments = (settings, random_seed, progressbar, kwargs)
    if target != "full":
        method = "nuts" if sampler == "nutpie" else sampler
        settings |= {"random_seed": random_seed, "progressbar": progressbar, "method": method}
        compiling, sampling, data = sample_marginal(fit, own, target, **settings, **kwargs)
        seconds: Seconds = (compiling, sampling)
    elif sampler == "nutpie":
        seconds, data = sample_whitened(fit, own, *arguments)
    else:
        require(sampler)
        seconds, data = sample_pymc(fit, own, sampler, *arguments)
    return PosteriorResult(fit, own, data, sampler, target, tune, *seconds)


def require(sampler: str) -> None:
    """Refuse a sampler whose package is not installed."""
    if find_spec(sampler) is None:
        raise ArgumentError(
            f"sampler={sampler!r} needs the package {sampler}: pip install {sampler}, or leave "
            "sampler out for nutpie."
        )


def sample_whitened(
    fit: Fit,
    priors: Priors,
    settings: dict[str, Any],
    seed: int | None,
    progressbar: bool,
    kwargs: dict[str, Any],
) -> tuple[Seconds, Any]:
    """Seconds of compilation and of sampling, and the draws."""
    began = time.perf_counter()
    try:
        target = JointTarget.of(MarginalDensity(fit, priors))
    except NotCompilableError:
        posterior = build_pymc(fit.model, priors)
        return sample_nutpie(posterior, fit, settings, seed, progressbar, kwargs)
    sampling, data = sample_joint(target, settings, seed, progressbar, kwargs)
    return (time.perf_counter() - began - sampling, sampling), data


def sample_nutpie(
    posterior: PosteriorModel,
    fit: Fit,
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
            initial_points=starting_values(fit, posterior),
            freeze_model=n_numbers(posterior.model) <= MAX_CONSTANTS,
        )
    compiled_at = time.perf_counter()
    data = run_nutpie(compiled, settings, seed, progressbar, kwargs)
    return (compiled_at - began, time.perf_counter() - compiled_at), data


def sample_pymc(
    fit: Fit,
    priors: Priors,
    sampler: str,
    settings: dict[str, Any],
    seed: int | None,
    progressbar: bool,
    kwargs: dict[str, Any],
) -> tuple[tuple[float, float], Any]:
    """Seconds of compilation and of sampling, and the draws."""
    import pymc as pm

    began = time.perf_counter()
    posterior = build_pymc(fit.model, priors)
    arguments: dict[str, Any] = {"nuts_sampler": sampler, "compute_convergence_checks": False}
    arguments["initvals"] = starting_values(fit, posterior)
    data = pm.sample(
        model=posterior.pymc,
        random_seed=seed,
        progressbar=progressbar,
        **settings,
        **(arguments | kwargs),
    )
    seconds = time.perf_counter() - began
    sampling = float(data["posterior"].attrs.get("sampling_time", seconds))
    return (seconds - sampling, sampling), data


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
    model, inside = fit.model, Inside.of(fit, posterior.priors)
    values: dict[str, Any] = {"beta": inside.centred, "beta_centred": inside.centred}
    for t, cholesky in inside.cholesky.items():
        values[f"cholesky[{model.design.terms[t].label}]"] = cholesky
    for f, factor in enumerate(model.design.factors):
        values[f"sd_{factor.name}"] = inside.sds[f]
        values[f"u_{factor.name}"] = fit.u[model.u_slices[f]].reshape(factor.n_levels, -1)
    dispersion = Dispersion.of(model)
    if dispersion is not None:
        values[dispersion.name] = inside.dispersion
    # Priors of several classes make scalars "sd_herd[x]" of the vector "sd_herd".
    dims = posterior.pymc.named_vars_to_dims
    for name in [name for name in values if name in dims and np.ndim(values[name]) == 1]:
        labels = posterior.pymc.coords[dims[name][0]]
        values |= {f"{name}[{k}]": v for k, v in zip(labels, values[name], strict=True)}
    free = {variable.name for variable in posterior.pymc.free_RVs}
    return {name: value for name, value in values.items() if name in free}
