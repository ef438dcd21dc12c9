"""NUTS by nutpie on a compiled target."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.expansion import Expansion
from mixedlm_pt.bayes.joint_target import JointTarget
from mixedlm_pt.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

# Name of the vector that nutpie samples.
NAME = "z"


def sample_joint(
    target: JointTarget,
    settings: Mapping[str, Any],
    seed: int | None,
    progressbar: bool,
    kwargs: Mapping[str, Any],
) -> tuple[float, xr.DataTree]:
    """Seconds of sampling, and the draws."""
    compiled = compiled_model(target)
    began = time.perf_counter()
    data = run_nutpie(compiled, settings, seed, progressbar, kwargs)
    xu = data["posterior"][NAME].to_numpy()
    x, u = np.split(xu, [len(target.whitening.centre)], axis=-1)
    data["posterior"] = data["posterior"].copy()
    data["posterior"].dataset = Expansion(target.coordinates).dataset(x, u)
    return time.perf_counter() - began, data


def compiled_model(target: JointTarget) -> Any:
    """The target as what nutpie makes of a PyMC model."""
    from nutpie.compile_pymc import CompiledPyMCModel

    n = target.n
    return CompiledPyMCModel(
        dims={},
        reparameterized_names=(),
        compiled_logp_func=SimpleNamespace(address=target.address),
        compiled_expand_func=SimpleNamespace(address=target.expand_address),
        initial_point_func=near_the_mode(n),
        shared_data={},
        shared_var_keys={},
        user_data=target.table,
        n_expanded=n,
        shape_info=([NAME], [slice(0, n)], [(n,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=n,
        _shapes={NAME: (n,)},
        _coords={},
    )


def near_the_mode(n: int) -> Callable[[int | None], FloatArray]:
    """Starts drawn from the Gaussian approximation, one for each seed."""

    def start(seed: int | None = None) -> FloatArray:
        return np.random.default_rng(seed).standard_normal(n)

    return start


def run_nutpie(
    model: Any,
    settings: Mapping[str, Any],
    seed: int | None,
    progressbar: bool,
    kwargs: Mapping[str, Any],
) -> xr.DataTree:
    """Sample; where the user interrupts, what every chain has drawn by then."""
    import nutpie

    arguments = {"save_warmup": False, "progress_bar": progressbar, **settings, **kwargs}
    try:
        sampler = nutpie.sample(model, seed=seed, blocking=False, **arguments)
    except (AttributeError, TypeError, ValueError) as error:
        if not kwargs:
            raise
        raise ArgumentError(
            f"sample() hands {', '.join(kwargs)} to nutpie.sample, which refuses: {error}."
        ) from error
    try:
        data: xr.DataTree = sampler.wait()
        return data
    except KeyboardInterrupt:
        return complete(sampler.abort())


def complete(data: xr.DataTree) -> xr.DataTree:
    """The draws that all chains have, of chains of unequal length.

    Raises
    ------
    KeyboardInterrupt
        If a chain has none.
    """
    posterior = data["posterior"].dataset
    if not posterior.sizes.get("draw"):
        raise KeyboardInterrupt
    drawn = np.ones(tuple(posterior.sizes[dim] for dim in ("chain", "draw")), bool)
    for variable in posterior.values():
        values = variable.transpose("chain", "draw", ...).to_numpy()
        drawn &= np.isfinite(values.reshape(*drawn.shape, -1)).all(axis=2)
    n = int(drawn.sum(axis=1).min())
    if not n:
        raise KeyboardInterrupt
    return data.isel(draw=slice(n), missing_dims="ignore")
