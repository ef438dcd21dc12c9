"""Names of all estimated parameters, in the order of the parameter vector."""

from mixedlm_pt.covariance import Unstructured
from mixedlm_pt.extraction import term_theta_names
from mixedlm_pt.fit import Fit


def parameter_names(fit: Fit) -> tuple[str, ...]:
    """Coefficients, lme4's names of theta (``district.urbanY.(Intercept)``), ``log(phi)``.

    Of another covariance structure by its own name and counted: ``subject.ar1[1]``.
    """
    design, names = fit.design, list(fit.design.coef_names)
    for term, covariance in zip(design.terms, fit.model.covariances, strict=True):
        group, k = design.factors[term.factor], len(term.columns)
        if isinstance(covariance, Unstructured):
            names += term_theta_names(term, group)
        else:
            names += [f"{group.name}.{covariance.name}[{j}]" for j in range(covariance.n_theta(k))]
    dispersion = (f"log({fit.family.phi_name})",) if fit.family.estimates_phi else ()
    return (*names, *dispersion)
