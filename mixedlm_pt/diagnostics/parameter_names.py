"""Names of all estimated parameters, in the order of the parameter vector."""

from mixedlm_pt.extraction import theta_names
from mixedlm_pt.fit import Fit


def parameter_names(fit: Fit) -> tuple[str, ...]:
    """Coefficients, lme4's names of theta (``district.urbanY.(Intercept)``), ``log(phi)``."""
    family = fit.family
    dispersion = (f"log({family.phi_name})",) if family.estimates_phi else ()
    return (*fit.design.coef_names, *theta_names(fit), *dispersion)
