"""Log-likelihoods of rows, and of groups without their random effects, draw by draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import positive_integer
from mixedlm_pt.bayes.integration import GroupIntegral, RowDensity
from mixedlm_pt.bayes.predictor_draws import predictor_draws
from mixedlm_pt.diagnostics import Groups, row_groups
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.linalg.structure import nesting
from mixedlm_pt.linalg.threads import on_one_thread

if TYPE_CHECKING:
    import xarray as xr

    from mixedlm_pt.bayes.posterior import PosteriorResult

# Rows times draws that are computed together: about what stays in the processor's caches.
CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class Units:
    """What is left out together: single rows, or groups of rows.

    Attributes
    ----------
    name : str
        ``"observation"``, a grouping factor, a column, or ``"groups"``.
    codes : array of int64, shape (n,)
        The unit of every row.
    labels : pandas.Index
    """

    name: str
    codes: IntArray
    labels: pd.Index

    @classmethod
    def of(cls, posterior: PosteriorResult, by: Groups) -> Units:
        """The units that ``by`` names; ``"cluster"`` is the coarsest grouping factor.

        Raises
        ------
        ArgumentError
            For ``"cluster"`` where there is no single coarsest factor, and bad labels.
        ColumnNotFoundError
            For a name that is neither a grouping factor nor a column.
        """
        design = posterior.model.design
        if isinstance(by, str) and by == "observation":
            return cls(by, np.arange(design.n), design.index)
        if isinstance(by, str) and by == "cluster":
            by = cluster_of(posterior)
        codes, labels = row_groups(posterior.fit, by, "by")
        return cls(by if isinstance(by, str) else "groups", codes, labels)

    @property
    def is_rows(self) -> bool:
        """Whether every row is a unit of its own."""
        return self.name == "observation"

    @property
    def variable(self) -> str:
        """Name of the log-likelihoods among ArviZ's: that of the response for rows."""
        return "y" if self.is_rows else self.name

    def dimension(self, posterior: PosteriorResult) -> str:
        """Name of the dimension, that of the posterior's own variables where it is the same."""
        if self.is_rows:
            return "obs"
        is_factor = any(factor.name == self.name for factor in posterior.model.design.factors)
        return f"level_{self.name}" if is_factor else f"level_of_{self.name}"


def cluster_of(posterior: PosteriorResult) -> str:
    """Name of the grouping factor that all others are nested in."""
    factors = posterior.model.design.factors
    names = [factor.name for factor in factors]
    if not factors:
        raise ArgumentError("by is 'cluster', but the model has no random effects; name a column.")
    if nesting([f.codes for f in factors], [f.n_levels for f in factors]) is None:
        raise ArgumentError(
            f"by is 'cluster', but {' and '.join(names)} are crossed: say which of them is left "
            f"out, by={names[-1]!r}. The effects of the others then stay at their draws."
        )
    return names[-1]


def log_likelihood(
    posterior: PosteriorResult, by: Groups = "observation", nAGQ: int | None = None
) -> xr.DataArray:
    r"""Log-likelihoods of rows given the random effects, or of groups without them, by draw.

    Of a row it is ``log p(y_i | beta, phi, b)``. Of a group it is the density of all its responses
    together, the random effects that belong to it alone integrated out:
    ``log int p(y_g | beta, phi, b_g, b_rest) p(b_g | theta) db_g``. Those are the effects of all
    grouping factors nested in the group; effects that it shares with other groups (crossed
    factors) stay at their draws, so that the likelihood is conditional on the other factors'
    effects. Either way the groups are independent given the draw, which is what leaving one of
    them out needs.

    Parameters
    ----------
    posterior : PosteriorResult
    by : str, or one label a row
        ``"observation"``, ``"cluster"`` (the coarsest grouping factor), a grouping factor or a
        column of the data, or labels.
    nAGQ : int, optional
        Quadrature nodes for the effects of a group: of one grouping factor with one or two effects
        (then squared). 1 is Laplace's approximation, the only one for more effects and for nested
        factors. Default: 11 for one effect, otherwise 1.

    Returns
    -------
    xarray.DataArray, shape (chains, draws, units)

    Raises
    ------
    ArgumentError
        For more than one node where there is no quadrature, and if grouping factors inside the
        groups are crossed.
    EstimationError
        If the mode of a group's effects is not found.

    References
    ----------
    .. [1] Merkle, Furr and Rabe-Hesketh (2019), Psychometrika 84, 802-829: conditional and
       marginal likelihoods.
    """
    import xarray as xr

    units = Units.of(posterior, by)
    if units.is_rows:
        if nAGQ is not None:
            raise ArgumentError("nAGQ is for groups: the likelihood of a row has no integral.")
        values = row_log_likelihoods(posterior)
    else:
        nodes = None if nAGQ is None else positive_integer("nAGQ", nAGQ)
        values = group_log_likelihoods(posterior, units, nodes)
    dims = ("chain", "draw", units.dimension(posterior))
    sampled = posterior.data["posterior"].dataset
    coords = {name: sampled[name] for name in dims[:2]} | {dims[2]: units.labels.to_numpy()}
    shape = (posterior.n_chains, posterior.n_draws, -1)
    return xr.DataArray(values.reshape(shape), coords, dims, units.variable)


def with_log_likelihood(
    posterior: PosteriorResult, by: Groups = "observation", nAGQ: int | None = None
) -> PosteriorResult:
    """The same posterior with `log_likelihood` in its data, where ArviZ looks for it.

    Parameters
    ----------
    posterior : PosteriorResult
        Not changed.
    by, nAGQ
        As in `log_likelihood`.

    Returns
    -------
    PosteriorResult
        ``.data["log_likelihood"]`` has the variable ``y`` for rows, and one with the name of the
        grouping factor for groups, beside those that were there. With several of them ArviZ asks
        for ``var_name``.
    """
    import xarray as xr

    found, name = log_likelihood(posterior, by, nAGQ), "log_likelihood"
    known = posterior.data[name].dataset if name in posterior.data.children else {}
    return posterior.with_groups(log_likelihood=xr.Dataset({**dict(known), found.name: found}))


@on_one_thread
def row_log_likelihoods(posterior: PosteriorResult) -> FloatArray:
    """``log p(y_i | beta, phi, b)``, shape (draws, n)."""
    fit, draws = posterior.fit, posterior.parameter_draws
    values, density = np.empty((len(draws), fit.model.n)), RowDensity(fit.model)
    source = predictor_draws(fit, draws, fit.design, range(len(fit.design.terms)))
    for rows in source.slices():
        values[:, rows] = density(source.predictor(rows), draws.log_phi, rows).T
    return values


@on_one_thread
def group_log_likelihoods(posterior: PosteriorResult, units: Units, nAGQ: int | None) -> FloatArray:
    """Log-likelihoods of groups without the effects that are theirs alone, (draws, groups)."""
    fit, draws = posterior.fit, posterior.parameter_draws
    integral = GroupIntegral.of(fit, units.codes, len(units.labels), nAGQ)
    held = [t for t, term in enumerate(fit.design.terms) if term.factor in integral.shared]
    values = np.empty((len(draws), len(units.labels)))
    size = max(1, CHUNK // fit.model.n)
    for first in range(0, len(draws), size):
        some = draws.take(slice(first, first + size))
        fixed = predictor_draws(fit, some, fit.design, held).predictor(slice(None))
        values[first : first + size] = integral(fixed, some.theta, some.log_phi).T
    return values
