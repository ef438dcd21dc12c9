"""A model from a formula and a table that is not fitted yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from mixedlm_pt.diagnostics import with_warnings
from mixedlm_pt.estimation import GlmerControl
from mixedlm_pt.families import Family
from mixedlm_pt.fit import Call
from mixedlm_pt.model import GLMM
from mixedlm_pt.on_demand import EAGER_IMPORT, on_demand
from mixedlm_pt.refitting import described_model, fit_call
from mixedlm_pt.results import GlmerResult
from mixedlm_pt.tables import html_table, text_table

if EAGER_IMPORT:
    from mixedlm_pt import bayes, plotting
else:
    bayes, plotting = on_demand("mixedlm_pt.bayes"), on_demand("mixedlm_pt.plotting")


@dataclass(frozen=True, eq=False, repr=False)
class GlmerModel:
    """A generalized linear mixed model of some data, unfitted.

    Attributes
    ----------
    model : GLMM
    call : Call
        The arguments of `glmer_model`.
    """

    model: GLMM
    call: Call

    to_pymc = bayes.to_pymc
    prior_summary = bayes.prior_summary
    prior_predictive = plotting.prior_predictive

    def fit(
        self,
        nAGQ: int = 1,
        *,
        start: Any = None,
        priors: Any = None,
        backend: str = "auto",
        verbose: int | None = None,
    ) -> GlmerResult:
        """The model fitted by `glmer`.

        Parameters
        ----------
        nAGQ, start, priors, backend, verbose
            As in `glmer`.

        Returns
        -------
        GlmerResult

        Warns
        -----
        ConvergenceWarning, SingularFitWarning, RankDeficiencyWarning
        """
        changes = {"nAGQ": nAGQ, "priors": priors, "backend": backend}
        return with_warnings(self.fit_quietly(changes, start, verbose))

    def fit_quietly(
        self, changes: Mapping[str, Any], start: Any = None, verbose: int | None = None
    ) -> GlmerResult:
        """The fit without warnings of its convergence."""
        call = replace(self.call, arguments={**self.call.arguments, **changes})
        return fit_call(GlmerResult, call, start=start, verbose=verbose, model=self.model)

    def sample(self, draws: int = 1000, tune: int = 1000, chains: int = 4, **arguments: Any) -> Any:
        """Draws from the posterior; the model is fitted first, because the sampler starts there.

        Parameters
        ----------
        draws, tune, chains : int
        **arguments
            Others of `sample`: ``priors``, ``random_seed``, ``cores``, ``target``, ``sampler``.

        Returns
        -------
        PosteriorResult
        """
        return self.fit_quietly({}).sample(draws, tune, chains, **arguments)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the parts of the model."""
        design = self.model.design
        rows = [["Fixed effects", ", ".join(design.coef_names), ""]]
        for term in design.terms:
            factor = design.factors[term.factor]
            rows.append(
                [f"({term.label})", ", ".join(term.columns), f"{factor.n_levels:,} {factor.name}"]
            )
        return ["Term", "Coefficients", "Levels"], rows

    def lines(self) -> list[str]:
        """What the model is of."""
        design, family = self.model.design, self.model.family
        n_omitted = int(design.omitted.sum())
        omitted = f" ({n_omitted:,} more omitted: missing values)" if n_omitted else ""
        return [
            "Generalized linear mixed model, not fitted",
            f" Family: {family.name} ( {family.link.name} )",
            f"Formula: {design.formula}",
            f"   Data: {self.model.n:,} rows{omitted}",
        ]

    def __str__(self) -> str:
        table = text_table(*self.cells(), left=(0, 1, 2))
        verbs = "Verbs: fit(), sample(), to_pymc(), prior_summary(), prior_predictive()."
        return "\n".join([*self.lines(), "", table, "", verbs])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lines = "<br>".join(escape(line.strip()) for line in self.lines())
        return f"<p>{lines}</p>{html_table(*self.cells(), left=(0, 1, 2))}"


def glmer_model(
    formula: str,
    data: Any,
    family: str | Family | type[Family] = "binomial",
    *,
    weights: Any = None,
    offset: Any = None,
    na_action: str = "omit",
    contrasts: Mapping[str, Any] | None = None,
    covariance: Mapping[str, Any] | None = None,
    control: GlmerControl | None = None,
) -> GlmerModel:
    """A model that is not fitted: to look at its priors, to sample it, or to fit it later.

    Parameters
    ----------
    formula, data, family, weights, offset, na_action, contrasts, covariance, control
        As in `glmer`.

    Returns
    -------
    GlmerModel
        ``fit()`` is what `glmer` does with the same arguments.

    Raises
    ------
    FormulaError, DataError, ColumnNotFoundError, ArgumentError
        If an argument is wrong; the message names it.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> model = mlm.glmer_model("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> print(model)
    Generalized linear mixed model, not fitted
     Family: binomial ( logit )
    Formula: incidence / size ~ period + (1 | herd)
       Data: 56 rows
    <BLANKLINE>
    Term           Coefficients                           Levels
    Fixed effects  (Intercept), period2, period3, period4
    (1 | herd)     (Intercept)                            15 herd
    <BLANKLINE>
    Verbs: fit(), sample(), to_pymc(), prior_summary(), prior_predictive().
    >>> round(model.fit().logLik(), 5)
    -92.02628
    """
    arguments = {
        "family": family,
        "nAGQ": 1,
        "weights": weights,
        "offset": offset,
        "na_action": na_action,
        "contrasts": contrasts,
        "covariance": covariance,
        "control": control,
        "priors": None,
        "backend": "auto",
    }
    call = Call(formula, data, arguments)
    return GlmerModel(described_model(call), call)
