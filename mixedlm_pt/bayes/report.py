"""Whether the chains can be trusted, in words: what went wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult

# Vehtari et al. (2021), Bayesian Analysis 16, 667-718: what chains that agree reach.
MAX_RHAT = 1.01
MIN_ESS = 400
# Betancourt (2016), arXiv 1604.00695: below this the sampler does not reach the tails.
MIN_BFMI = 0.3
# Share of draws at the limit of the tree from which on that costs more than time.
MANY = 0.01
# Random effects whose R-hat and effective sample sizes are computed in full; a screen finds them.
SCREENED = 20
MOST_NAMED = 5
# The samplers' own names of the same statistic.
AT_MAX_DEPTH = ("reached_max_treedepth", "maxdepth_reached")
TARGETS = {
    "full": "",
    "laplace": " on the Laplace approximation of the marginal posterior",
    "agq": " on the marginal posterior by adaptive quadrature",
}
# Vehtari et al. (2024), J. Mach. Learn. Res. 25(72), 1-58: above, weights are not to be trusted.
MAX_KHAT = 0.7


@dataclass(frozen=True)
class Trouble:
    """How often the sampler itself reported trouble; None where it does not say.

    Attributes
    ----------
    divergences, at_max_depth : int or None
        Numbers of draws.
    bfmi : float or None
        Lowest energy Bayesian fraction of missing information among the chains.
    """

    divergences: int | None
    at_max_depth: int | None
    bfmi: float | None

    @classmethod
    def of(cls, posterior: PosteriorResult) -> Trouble:
        """From the group ``sample_stats``, as far as the sampler wrote it."""
        has_statistics = "sample_stats" in posterior.data.children
        statistics = posterior.data["sample_stats"].dataset if has_statistics else {}

        def count(*names: str) -> int | None:
            known = [name for name in names if name in statistics]
            return int(statistics[known[0]].sum()) if known else None

        bfmi = None
        if "energy" in statistics:
            bfmi = lowest_bfmi(statistics["energy"].transpose("chain", "draw").to_numpy())
        return cls(count("diverging"), count(*AT_MAX_DEPTH), bfmi)


def lowest_bfmi(energy: FloatArray) -> float:
    """Lowest energy Bayesian fraction of missing information of the chains (chains, draws)."""
    jumps = (np.diff(energy, axis=1) ** 2).mean(axis=1)
    return float((jumps / energy.var(axis=1)).min())


def diagnosis(posterior: PosteriorResult) -> tuple[str, ...]:
    """How it was sampled, whether the chains agree, and what to do if not; in words.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    tuple of str
        Three lines where all is well: R-hat (rank-normalised) up to 1.01, bulk and tail effective
        sample sizes of 400 and more, no divergences, energy fractions above 0.3. Otherwise one more
        for everything that is not, with the names of what did not mix. The random effects of
        many levels are screened by simpler versions of R-hat and of the effective sample size; the
        20 that look worst are then judged like the parameters. What a sampler does not record is
        passed over.

    References
    ----------
    .. [1] Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Bayesian Analysis 16, 667-718.
    .. [2] Betancourt (2016), arXiv 1604.00695: the energy fraction.
    """
    agreement, trouble = convergence_with_effects(posterior), Trouble.of(posterior)
    lines = [
        how_sampled(posterior),
        f"Compiled in {posterior.compile_seconds:.1f} s, sampled in "
        f"{posterior.sampling_seconds:.1f} s.",
        summary_line(agreement, trouble),
        *weight_line(posterior),
        *problem_lines(posterior, trouble, agreement),
    ]
    return tuple(lines)


def problems(posterior: PosteriorResult) -> tuple[str, ...]:
    """Why the draws cannot be trusted; empty where all is well.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    tuple of str
        The lines of `diagnosis` that ask for something to be done.
    """
    agreement, trouble = convergence_with_effects(posterior), Trouble.of(posterior)
    return tuple(problem_lines(posterior, trouble, agreement))


def problem_lines(
    posterior: PosteriorResult, trouble: Trouble, agreement: pd.DataFrame
) -> Iterator[str]:
    """What went wrong, where, and what to do."""
    yield from bad_weights(posterior)
    yield from trouble_lines(posterior, trouble)
    yield from mixing_lines(posterior, agreement)


def how_sampled(posterior: PosteriorResult) -> str:
    """The sampler, its target, and how much it drew."""
    target = TARGETS[posterior.target]
    size = f"{posterior.n_chains} chains of {posterior.n_draws:,}"
    if posterior.sampler == "importance":
        return f"Importance sampling{target}: {size} weighted draws, resampled."
    return (
        f"{posterior.sampler} (NUTS{target}): {size} draws after {posterior.tune:,} steps of "
        "adaptation."
    )


def weights(posterior: PosteriorResult) -> Mapping[Any, Any]:
    """Pareto k and efficiency of the weights of a marginal target; empty for other targets."""
    groups = posterior.data.children
    attrs = groups["sample_stats"].attrs if "sample_stats" in groups else {}
    return attrs if "khat" in attrs else {}


def weight_line(posterior: PosteriorResult) -> Iterator[str]:
    """How well the draws of a marginal target do for the exact posterior."""
    found = weights(posterior)
    if found:
        yield (
            f"Weights towards the exact posterior: Pareto k {found['khat']:.2f}, "
            f"{100.0 * found['efficiency']:.0f} % of the draws effective."
        )


def bad_weights(posterior: PosteriorResult) -> Iterator[str]:
    """Whether the weights of a marginal target cannot be trusted."""
    if weights(posterior).get("khat", 0.0) > MAX_KHAT:
        yield (
            f"Pareto k is above {MAX_KHAT}: these draws miss a part of the posterior. "
            "Use target='full'."
        )


def summary_line(agreement: pd.DataFrame, trouble: Trouble) -> str:
    """Divergences, the largest R-hat and the smallest effective sample sizes."""
    n, parts = trouble.divergences, []
    if n is not None:
        parts = [f"{f'{n:,}' if n else 'No'} divergence{'' if n == 1 else 's'}"]
    rhat, bulk, tail = agreement["r_hat"], agreement["ess_bulk"], agreement["ess_tail"]
    parts.append(f"largest R-hat {rhat.max():.3f}")
    parts.append(f"smallest effective sample size {bulk.min():,.0f} (tails {tail.min():,.0f})")
    line = ", ".join(parts)
    return f"{line[0].upper()}{line[1:]}."


def trouble_lines(posterior: PosteriorResult, trouble: Trouble) -> Iterator[str]:
    """What the sampler reported, and what helps."""
    n_draws = posterior.n_chains * posterior.n_draws
    if trouble.divergences:
        share = 100.0 * trouble.divergences / n_draws
        yield (
            f"Divergences ({share:.1f} % of the draws) bias the posterior: raise target_accept "
            "(0.95), or sharpen the priors of the standard deviations"
            f"{otherwise(posterior)}."
        )
    if trouble.at_max_depth is not None and trouble.at_max_depth > MANY * n_draws:
        yield (
            f"{trouble.at_max_depth:,} draws needed the longest trajectory allowed: the sampler is "
            "slow rather than wrong. Scale the predictors, or use more steps of tune."
        )
    if trouble.bfmi is not None and trouble.bfmi < MIN_BFMI:
        yield (
            f"The energy barely moves (E-BFMI {trouble.bfmi:.2f}, should be above {MIN_BFMI}), so "
            "the tails are not reached: sharpen the priors of the standard deviations"
            f"{otherwise(posterior)}."
        )


def mixing_lines(posterior: PosteriorResult, agreement: pd.DataFrame) -> Iterator[str]:
    """The parameters and effects that do not mix, and what helps."""
    # NaN is a chain that never moved.
    apart = agreement[~(agreement["r_hat"] <= MAX_RHAT)]
    if len(apart):
        worst = apart["r_hat"].fillna(np.inf).sort_values(ascending=False)
        yield (
            f"The chains do not agree (R-hat above {MAX_RHAT}) on {named(worst, '.3f')}: "
            f"raise tune and draws{otherwise(posterior)}."
        )
        return
    for column, what in (("ess_bulk", "draws"), ("ess_tail", "draws in the tails")):
        few = agreement[column][agreement[column] < MIN_ESS]
        if len(few):
            yield (
                f"Few effective {what} (below {MIN_ESS}) of {named(few.sort_values(), '.0f')}: "
                "raise draws."
            )
            return


def otherwise(posterior: PosteriorResult) -> str:
    """The advice to sample another density, where there is one."""
    if posterior.target == "full" and posterior.model.q:
        return ", or sample the marginal posterior, target='laplace'"
    return ""


def named(values: pd.Series, form: str) -> str:
    """The first few names, each with its value."""
    shown = [f"{name} ({value:{form}})" for name, value in values.head(MOST_NAMED).items()]
    more = f" and {len(values) - MOST_NAMED:,} more" if len(values) > MOST_NAMED else ""
    return f"{', '.join(shown)}{more}"


def convergence_with_effects(posterior: PosteriorResult) -> pd.DataFrame:
    """R-hat and effective sample sizes of the parameters and of the worst random effects."""
    columns = ["r_hat", "ess_bulk", "ess_tail"]
    parameters = posterior.convergence[columns]
    effects = effect_convergence(posterior)
    return pd.concat([parameters, effects]) if len(effects) else parameters


def effect_convergence(posterior: PosteriorResult) -> pd.DataFrame:
    """R-hat and effective sample sizes of the random effects that look worst.

    In full they take seconds for thousands of levels, which sort all draws of each.
    """
    import arviz as az

    sampled, draws = posterior.data["posterior"].dataset, {}
    for factor in posterior.model.design.factors:
        b = sampled[f"b_{factor.name}"].transpose("chain", "draw", ...)
        flat = b.to_numpy().reshape(*b.shape[:2], -1)
        levels, terms = (b[dim].to_numpy() for dim in b.dims[2:])
        for place in worst_mixed(flat, SCREENED):
            level, term = np.unravel_index(place, b.shape[2:])
            draws[f"{terms[term]}|{factor.name}[{levels[level]}]"] = flat[:, :, place]
    if not draws:
        return pd.DataFrame()
    data = az.from_dict({"posterior": draws})
    found = {
        "r_hat": az.rhat(data),
        "ess_bulk": az.ess(data, method="bulk"),
        "ess_tail": az.ess(data, method="tail"),
    }
    values = {name: [float(one[key]) for key in draws] for name, one in found.items()}
    return pd.DataFrame(values, index=pd.Index(list(draws)))


def worst_mixed(draws: FloatArray, n: int) -> list[int]:
    """Places of about n of m quantities (chains, draws, m) that look worst."""
    if draws.shape[2] <= n:
        return list(range(draws.shape[2]))
    centred = draws - draws.mean(axis=(0, 1))
    # Location and, as |deviation|, spread: the two things that R-hat in full looks at.
    bad = [split_rhat(centred), split_rhat(np.abs(centred)), autocorrelation(centred)]
    each = -(-n // len(bad))
    places = [np.argsort(np.where(np.isnan(b), -np.inf, -b))[:each] for b in bad]
    return sorted(set(np.concatenate(places).tolist()))


def split_rhat(draws: FloatArray) -> FloatArray:
    """R-hat of halves of the chains without ranks, shape (m,)."""
    half = draws.shape[1] // 2
    halves = np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: FloatArray = between / within
    return ratio


def autocorrelation(draws: FloatArray) -> FloatArray:
    """Variance of the means of blocks of draws against that of the draws, shape (m,)."""
    size = max(1, int(np.sqrt(draws.shape[1])))
    n = draws.shape[1] // size
    blocks = draws[:, : n * size].reshape(len(draws), n, size, -1).mean(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: FloatArray = blocks.var(axis=(0, 1)) / draws.var(axis=(0, 1))
    return ratio
