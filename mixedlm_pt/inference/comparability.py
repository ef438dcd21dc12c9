"""Whether log-likelihoods of several fits can be compared, and the names of the fits."""

from collections.abc import Mapping, Sequence

import numpy as np

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.likelihood import require_maximum

type Check = tuple[str, tuple[object, object], bool]

# Why not, where it is not that the likelihoods have no common scale.
REASON = {
    "families": "they are not nested",
    "numbers of quadrature nodes (nAGQ)": "their likelihoods also differ by the approximation",
    "laplace_weights": "their likelihoods also differ by the approximation",
}
ADVICE = {
    "numbers of rows": " Missing values may differ: fit both to the same complete rows.",
    "families": (
        " Compare them by AIC, with model_selection(), if both are discrete or both continuous."
    ),
    "numbers of quadrature nodes (nAGQ)": " Refit one of them: update(nAGQ=).",
    "kinds of distribution": " (A custom family states its kind by support=.)",
    "responses": " (Responses of equal name may still hold different values.)",
}


def named_fits(fits: Sequence[Fit], named: Mapping[str, Fit], verb: str) -> dict[str, Fit]:
    """Fits by name, sorted by their number of parameters; those without a name are m1, m2, ...

    Raises
    ------
    ArgumentError
        For anything that is no fit, and for a name that is used twice.
    """
    everything = [*((None, fit) for fit in fits), *named.items()]
    strangers = [fit for _, fit in everything if not isinstance(fit, Fit)]
    if strangers:
        hint = ""
        if isinstance(strangers[0], Sequence | Mapping) and not isinstance(strangers[0], str):
            stars = "**" if isinstance(strangers[0], Mapping) else "*"
            hint = f" Unpack it: {verb.removesuffix('()')}({stars}fits)."
        raise ArgumentError(f"{verb} compares fits; it got {type(strangers[0]).__name__!r}.{hint}")
    everything.sort(key=lambda pair: pair[1].n_par)
    names = [name or f"m{i}" for i, (name, _) in enumerate(everything, start=1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ArgumentError(f"two fits are named {twice!r}; give all of them names of their own.")
    return {name: fit for name, (_, fit) in zip(names, everything, strict=True)}


def model_lines(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """Lines of a heading that say which model a name stands for."""
    families = {str(fit.family) for fit in fits.values()}
    ends = {name: f", {fit.family!r}" if len(families) > 1 else "" for name, fit in fits.items()}
    return tuple(f" {name}: {fit.design.formula}{ends[name]}" for name, fit in fits.items())


def refuse_incomparable(fits: Sequence[Fit], verb: str, *, same_family: bool = True) -> None:
    """Refuse fits whose log-likelihoods do not compare.

    Parameters
    ----------
    fits : sequence of Fit
    verb : str
        ``"anova()"``, for messages.
    same_family : bool
        Whether family and link have to agree, as for a ratio of likelihoods of nested models.
        Without it two discrete or two continuous distributions may differ.

    Raises
    ------
    ArgumentError
    """
    for fit in fits:
        require_maximum(fit, verb)
        refuse_pair(fits[0], fit, verb, same_family)


def refuse_pair(first: Fit, other: Fit, verb: str, same_family: bool) -> None:
    """Refuse two fits whose log-likelihoods do not compare, with the first reason found."""
    refuse_other_data(first, other, verb, same_family)
    # Without random effects every approximation gives the same, exact likelihood.
    if first.model.q and other.model.q:
        nodes = first.approximation.nAGQ, other.approximation.nAGQ
        weights = first.approximation.laplace_weights, other.approximation.laplace_weights
        checks: list[Check] = [
            ("numbers of quadrature nodes (nAGQ)", nodes, nodes[0] == nodes[1]),
            ("laplace_weights", weights, nodes[0] > 1 or weights[0] == weights[1]),
        ]
        refuse_different(checks, verb)


def refuse_other_data(first: Fit, other: Fit, verb: str, same_family: bool) -> None:
    """Refuse two fits to different responses, or of different kinds of distribution.

    Parameters
    ----------
    first, other : Fit
    verb : str
        ``"anova()"``, for messages.
    same_family : bool
        As in `refuse_incomparable`.

    Raises
    ------
    ArgumentError
    """
    a, b = first.design.response, other.design.response
    rows = first.model.n, other.model.n
    # The rows come first: without equal rows nothing else can be compared.
    same_rows = rows[0] == rows[1]
    kinds = (kind_of(first), kind_of(other))
    families = (first.family, other.family)
    checks: list[Check] = [
        ("numbers of rows", rows, same_rows),
        ("responses", (a.name, b.name), same_rows and np.array_equal(a.y, b.y)),
        ("prior weights", ("", ""), same_rows and np.array_equal(a.weights, b.weights)),
        ("families", families, families[0] == families[1] or not same_family),
        ("kinds of distribution", kinds, kinds[0] == kinds[1]),
    ]
    refuse_different(checks, verb)


def kind_of(fit: Fit) -> str:
    """Whether the distribution has a density."""
    return "discrete" if fit.family.support.is_discrete else "continuous"


def refuse_different(checks: Sequence[Check], verb: str) -> None:
    """Refuse the first difference: what, the two values, and whether they are the same."""
    for what, (mine, others), is_same in checks:
        if not is_same:
            values = f" ({mine} and {others})" if str(mine) != str(others) else ""
            reason = REASON.get(what, "their likelihoods have no common scale")
            raise ArgumentError(
                f"{verb} cannot compare these fits: they have different {what}{values}, so "
                f"{reason}.{ADVICE.get(what, '')}"
            )
