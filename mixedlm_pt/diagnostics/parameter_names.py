"""Names of all estimated parameters, in the order of the parameter vector."""

from itertools import combinations_with_replacement

from mixedlm_pt.fit import Fit


def parameter_names(fit: Fit) -> tuple[str, ...]:
    """Coefficients, lme4's names of theta (``district.urbanY.(Intercept)``), ``log(phi)``."""
    family = fit.family
    dispersion = (f"log({family.phi_name})",) if family.estimates_phi else ()
    return (*fit.design.coef_names, *theta_names(fit), *dispersion)


def theta_names(fit: Fit) -> tuple[str, ...]:
    """lme4's names of the entries of theta, column by column of Lambda."""
    names: list[str] = []
    for term in fit.design.terms:
        group = fit.design.factors[term.factor].name
        for a, b in combinations_with_replacement(term.columns, 2):
            names.append(f"{group}.{a}" if a == b else f"{group}.{b}.{a}")
    return tuple(names)
