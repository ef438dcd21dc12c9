"""Sampling with the random effects integrated out, and the random effects drawn afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.conditional import Drawn, ExactTarget, resampled, weighted
from mixedlm_pt.bayes.expansion import Expansion
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.bayes.proposal import Proposal, adapted_proposal
from mixedlm_pt.bayes.whitened_marginal import MarginalTarget
from mixedlm_pt.bayes.whitened_sampling import run_nutpie
from mixedlm_pt.compile import Approximation
from mixedlm_pt.diagnostics.pareto_smoothing import pareto_smoothed
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.linalg.threads import on_one_thread

if TYPE_CHECKING:
    import xarray as xr

# Nodes of quadrature where the fit has none; proposals of the random effects for every draw.
NODES, PROPOSALS = 11, 4
METHODS = ("nuts", "importance")


@on_one_thread
def sample_marginal(
    fit: Fit,
    priors: Priors,
    kind: str,
    nAGQ: int | None = None,
    draws: int = 1000,
    tune: int = 200,
    chains: int = 4,
    cores: int | None = None,
    random_seed: int | None = None,
    progressbar: bool = True,
    *,
    method: str = "nuts",
    correct: bool = True,
    proposals: int = PROPOSALS,
    **kwargs: Any,
) -> tuple[float, float, xr.DataTree]:
    """Draws of the parameters from the marginal posterior, then of the random effects given them.

    Parameters
    ----------
    fit : Fit
    priors : Priors
    kind : {"laplace", "agq"}
        How the random effects are integrated out.
    nAGQ : int, optional
        Nodes for ``"agq"``; default that of the fit, or 11.
    draws, tune, chains, cores, random_seed, progressbar
        As in `sample`. ``tune`` is only for NUTS, which needs few steps here: the coordinates
        are whitened by the fit.
    method : {"nuts", "importance"}
        ``"nuts"`` moves on the marginal posterior. ``"importance"`` draws independently from a
        Student t fitted to it and weighs the draws: without gradients several times as fast, good
        for up to about ten parameters.
    correct : bool
        Weigh by an importance-sampling estimate of the exact likelihood, smooth the weights (PSIS)
        and resample, so that the draws are of the exact posterior. Else they are of the approximate
        one, and the random effects normal given the parameters.
    proposals : int
        Of the random effects for every draw of the parameters. One of them is chosen in every
        cluster; together they estimate the likelihood. Where there are many clusters the estimate
        is noisy; its ratio to Laplace's likelihood, a smooth function, is then fitted by a
        quadratic polynomial.
    **kwargs
        Further arguments of `nutpie.sample`.

    Returns
    -------
    compile_seconds, sampling_seconds : float
    data : xarray.DataTree
        ``sample_stats`` has ``log_weight`` of every draw before resampling, and in its ``attrs``
        ``method``, ``correct``, ``khat`` of these weights (above 0.7 the correction is not
        reliable) and their ``efficiency``, the effective share of the draws; ``effects_khat``, the
        largest one of the random effects of a cluster, at the mode.

    Raises
    ------
    ArgumentError
        For an unknown method, a model without random effects, or one that ``kind`` is not for.

    References
    ----------
    .. [1] Tran, Scharth, Pitt and Kohn (2021), importance sampling squared, J. Bus. Econ. Stat.
       39, 542-555: weights with an unbiased estimate of the likelihood give the exact posterior.
    .. [2] Vehtari et al. (2024), J. Mach. Learn. Res. 25(72), 1-58: Pareto smoothing.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    began = time.perf_counter()
    marginal = MarginalTarget(MarginalDensity(fit, priors, approximation_of(fit, kind, nAGQ)))
    *seeds, last = np.random.SeedSequence(random_seed).spawn(chains + 1)
    rngs, rng = [np.random.default_rng(seed) for seed in seeds], np.random.default_rng(last)
    exact = ExactTarget.of(marginal, proposals, rng)
    marginal(np.zeros(marginal.n))
    compiled = time.perf_counter()
    if method == "nuts":
        drawn = run_nuts(marginal, draws, tune, chains, rng, progressbar, kwargs)
    else:
        drawn = run_proposal(exact, draws, rngs, rng)
    z, u, log_weight = weighted(exact, drawn, rngs, correct, method, cores)
    stats = {"log_weight": log_weight, "diverging": drawn.diverging, "n_steps": drawn.n_steps}
    attrs: dict[str, Any] = {"method": method, "correct": int(correct)}
    attrs |= {"n_proposals": exact.effects.n_proposals, "effects_khat": exact.k_hat}
    if log_weight.any():
        smoothed, k_hat = pareto_smoothed(log_weight.reshape(-1, 1))
        weight = np.exp(smoothed).reshape(log_weight.shape)
        attrs["khat"] = float(k_hat[0])
        attrs["efficiency"] = float(weight.mean() ** 2 / (weight**2).mean())
        for chain, own in enumerate(weight):
            kept = resampled(own, rngs[chain])
            z[chain], u[chain] = z[chain, kept], u[chain, kept]
    data = data_tree(marginal, z, u, stats, attrs)
    return compiled - began, time.perf_counter() - compiled, data


def data_tree(
    marginal: MarginalTarget,
    z: FloatArray,
    u: FloatArray,
    stats: Mapping[str, Any],
    attrs: Mapping[str, Any],
) -> xr.DataTree:
    """The groups ``posterior`` and ``sample_stats`` of draws z (chains, draws, n) and u."""
    import xarray as xr

    posterior = Expansion(marginal.density.coordinates).dataset(marginal.x(z), u)
    by_draw = {name: (("chain", "draw"), values) for name, values in stats.items()}
    places = {name: posterior.coords[name] for name in ("chain", "draw")}
    sample_stats = xr.Dataset(by_draw, coords=places, attrs=dict(attrs))
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": sample_stats})


def approximation_of(fit: Fit, kind: str, nAGQ: int | None) -> Approximation:
    """The approximation that a target names.

    Raises
    ------
    ArgumentError
    """
    if fit.model.structure is None:
        raise ArgumentError(
            f"target is {kind!r}, but the model has no random effects to integrate out; use "
            'target="full".'
        )
    if kind == "laplace":
        return replace(fit.approximation, nAGQ=1)
    columns = fit.model.structure.layout.columns
    if columns != (1,):
        raise ArgumentError(
            'target="agq" is for one scalar random-effects term, (1 | g); this model has '
            f'{len(fit.design.terms)} with {sum(columns)} effects a row. Use target="laplace".'
        )
    own = fit.approximation.nAGQ
    return replace(fit.approximation, nAGQ=nAGQ or (own if own > 1 else NODES))


def run_nuts(
    marginal: MarginalTarget,
    draws: int,
    tune: int,
    chains: int,
    rng: np.random.Generator,
    progressbar: bool,
    kwargs: dict[str, Any],
) -> Drawn:
    """NUTS by nutpie."""
    from nutpie.compiled_pyfunc import from_pyfunc

    seed = int(rng.integers(2**31))

    def density() -> Callable[[FloatArray], tuple[float, FloatArray]]:
        return marginal

    def expand(*seeds: int) -> Callable[[FloatArray], dict[str, FloatArray]]:
        return lambda z: {"z": z}

    compiled = from_pyfunc(marginal.n, density, expand, [np.dtype("f8")], [(marginal.n,)], ["z"])
    # Python holds its lock during most of a density.
    settings = {"draws": draws, "tune": tune, "chains": chains, "cores": 1}
    data = run_nutpie(compiled, settings, seed, progressbar, kwargs)
    stats = data["sample_stats"]
    return Drawn(
        data["posterior"]["z"].to_numpy(),
        stats["logp"].to_numpy(),
        stats["diverging"].to_numpy(),
        stats["n_steps"].to_numpy(),
    )


def run_proposal(
    exact: ExactTarget,
    draws: int,
    rngs: list[np.random.Generator],
    rng: np.random.Generator,
) -> Drawn:
    """Independent draws from a Student t fitted to the marginal posterior."""
    n = exact.marginal.n
    proposal: Proposal = adapted_proposal(exact.laplace, n, rng)
    z = np.stack([proposal.draw(draws, own) for own in rngs])
    shape = z.shape[:2]
    density = proposal.log_density(z.reshape(-1, n)).reshape(shape)
    return Drawn(z, density, np.zeros(shape, np.bool_), np.ones(shape, np.int64))
