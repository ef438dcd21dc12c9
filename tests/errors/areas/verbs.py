"""What is done with a fit."""

from mixedlm_pt.bayes.likelihood_verbs import NoPosteriorVersionError
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError
from tests.errors.case import Case

CASES = (
    Case(
        "not a fit",
        "mlm.fixef(3)",
        ArgumentError,
        "fixef() takes a fit, as glmer() returns it, not 'int'.",
    ),
    Case(
        "data for a fit",
        "mlm.summary(cbpp)",
        ArgumentError,
        "summary() takes a fit, as glmer() returns it, not 'DataFrame'.",
    ),
    Case(
        "model that is not fitted",
        "mlm.fixef(mlm.glmer_model(formula, cbpp))",
        ArgumentError,
        "fixef() takes a fit, not a GlmerModel. Call fit() of the GlmerModel first.",
        instead="mlm.fixef(mlm.glmer_model(formula, cbpp).fit())",
    ),
    Case(
        "posterior asked for AIC",
        "mlm.AIC(posterior)",
        NoPosteriorVersionError,
        "a posterior has no AIC(): it is a function of the maximised likelihood. Use "
        "loo(), or posterior.fit.AIC().",
    ),
    Case(
        "unknown scale",
        'fit.predict(type="respons")',
        ArgumentError,
        "unknown type 'respons'; known: response, link. Did you mean 'response'?",
    ),
    Case(
        "re_form with another term",
        'fit.predict(re_form="~ (1 | period)")',
        FormulaError,
        "re_form has the term (1 | period), which the model does not have; it has (1 | herd)",
    ),
    Case(
        "re_form that is no formula",
        "fit.predict(re_form=False)",
        ArgumentError,
        "re_form=False is not available; there are None (all random effects), '~0' "
        "(none), a formula of terms of the model such as '~ (1 | g)', and 'marginal'.",
        instead='fit.predict(re_form="~0")',
    ),
    Case(
        "unknown interval",
        'fit.predict(interval="predictions")',
        ArgumentError,
        "unknown interval 'predictions'; known: confidence, prediction. Did you mean 'prediction'?",
    ),
    Case(
        "unknown parameter",
        'fit.confint("sigma")',
        ArgumentError,
        "unknown parm 'sigma'; known: sd_(Intercept)|herd, (Intercept), period2, "
        "period3, period4, beta_, theta_.",
    ),
    Case(
        "level in percent",
        "fit.confint(level=95)",
        ArgumentError,
        "level is 95; it must lie between 0 and 1.",
        instead="fit.confint(level=0.95)",
    ),
    Case(
        "unknown method",
        'fit.confint(method="likelihood")',
        ArgumentError,
        "unknown method 'likelihood'; known: Wald, profile, boot.",
    ),
    Case(
        "unknown covariance",
        'fit.vcov(type="robust")',
        ArgumentError,
        "unknown type 'robust'; known: hessian, rx, sandwich.",
        instead='fit.vcov(type="sandwich")',
    ),
    Case(
        "clusters that do not fit",
        'fit.vcov(type="sandwich", cluster=[1, 2])',
        ArgumentError,
        "cluster has 2 labels; the model has 56 rows.",
    ),
    Case(
        "unknown parameter of a profile",
        'fit.profile("period5")',
        ArgumentError,
        "unknown parm 'period5'; known: sd_(Intercept)|herd, (Intercept), period2, "
        "period3, period4, beta_, theta_. Did you mean 'period4'?",
    ),
    Case(
        "alpha of a profile",
        "fit.profile(alphamax=2)",
        ArgumentError,
        "alphamax is 2; it must lie between 0 and 0.5.",
    ),
    Case(
        "seed that is text",
        'fit.simulate(seed="abc")',
        ArgumentError,
        "seed is 'abc'; it must be a non-negative integer, or None for a random one.",
    ),
    Case(
        "no simulations",
        "fit.simulate(nsim=0)",
        ArgumentError,
        "nsim is 0; it must be a positive integer.",
    ),
    Case(
        "unknown statistic",
        'fit.bootMer("fixef", nsim=10)',
        ArgumentError,
        "FUN is 'fixef'; it must be a function of a fit, such as mlm.fixef.",
        instead="fit.bootMer(mlm.fixef, nsim=10, seed=1)",
    ),
    Case(
        "statistic without numbers",
        'fit.bootMer(lambda fit: "a", nsim=2)',
        ArgumentError,
        "FUN returned 'a'; it must return a number, an array, a mapping or a Series of numbers.",
    ),
    Case(
        "no processes",
        "fit.bootMer(nsim=2, n_jobs=0)",
        ArgumentError,
        "n_jobs is 0; it must be a number of processes, -1 for all cores, or None.",
    ),
    Case(
        "response of another length",
        "fit.refit([1, 2, 3])",
        ArgumentError,
        "the new response has 3 values; the model has 56 rows",
    ),
    Case(
        "responses of another length",
        "fit.refit(np.ones((3, 4)))",
        ArgumentError,
        "the new responses have 3 rows; the model has 56. Give one response a column.",
    ),
    Case(
        "response outside the support",
        'fit.refit(cbpp["size"])',
        DataError,
        "response 'incidence / size' has 56 values outside the support of binomial "
        "(proportions between 0 and 1), first at row 0: 14. For counts of successes "
        "write successes / trials.",
        instead='fit.refit(fit.simulate(seed=1)["sim_1"])',
    ),
    Case(
        "update with an unknown column",
        'fit.update(". ~ . + age")',
        ColumnNotFoundError,
        "the data have no column 'age'; they have herd, incidence, size, period.",
    ),
    Case(
        "update with an unknown argument",
        'fit.update(familly="poisson")',
        ArgumentError,
        "unknown argument 'familly'; known: formula, data, family, nAGQ, weights, "
        "offset, na_action, contrasts, covariance, control, priors, backend, start, "
        "verbose. Did you mean 'family'?",
    ),
    Case(
        "update by something else",
        "fit.update(5)",
        ArgumentError,
        "formula is 5; it must be text such as '. ~ . + z'.",
    ),
    Case(
        "fits of different data",
        "mlm.anova(fit, reactions)",
        ArgumentError,
        "anova() of several fits cannot compare these fits: they have different numbers "
        "of rows (180 and 56), so their likelihoods have no common scale. Missing values "
        "may differ: fit both to the same complete rows.",
    ),
    Case(
        "fits with different families",
        'mlm.anova(fit, fit.update(family=families.Binomial("probit")))',
        ArgumentError,
        "anova() of several fits cannot compare these fits: they have different families "
        "(Binomial(link='logit') and Binomial(link='probit')), so they are not nested. "
        "Compare them by AIC, with model_selection(), if both are discrete or both continuous.",
    ),
    Case(
        "fits in a list",
        "mlm.anova([fit, fit])",
        ArgumentError,
        "anova() compares fits; it got 'list'. Unpack it: anova(*fits).",
        instead="mlm.anova(*[fit, fit])",
    ),
    Case(
        "type of Wald tests",
        "mlm.anova(fit, type=1)",
        ArgumentError,
        "type is 1; Wald tables are of type 2 or 3.",
    ),
    Case(
        "nested only in one direction",
        "mlm.pb_lrt(fit, fit, nsim=10)",
        ArgumentError,
        "pb_lrt() needs nested models: m2, incidence / size ~ period + (1 | herd), has "
        "as many parameters as m1; m1 is incidence / size ~ period + (1 | herd).",
    ),
    Case(
        "drop what is not there",
        'fit.drop1(scope="size")',
        ArgumentError,
        "unknown term in scope 'size'; known: period.",
    ),
    Case(
        "unknown test",
        'fit.drop1(test="F")',
        ArgumentError,
        "unknown test 'F'; known: Chisq, none.",
        instead='fit.drop1(test="Chisq")',
    ),
    Case(
        "unknown criterion",
        'mlm.model_selection(fit, criterion="DIC")',
        ArgumentError,
        "unknown criterion 'DIC'; known: AIC, AICc, BIC. Did you mean 'BIC'?",
    ),
    Case(
        "hypothesis on an unknown coefficient",
        'fit.linear_hypothesis("period5 = 0")',
        FormulaError,
        "unknown coefficient 'period5'; known: (Intercept), period2, period3, period4. "
        "Did you mean 'period4'?",
    ),
    Case(
        "hypothesis that is not linear",
        'fit.linear_hypothesis("period2 * period3 = 0")',
        FormulaError,
        "a hypothesis is linear in the coefficients\n    period2 * period3 = 0\n            ^",
    ),
    Case(
        "one fold",
        "fit.cross_validate(folds=1)",
        ArgumentError,
        "folds is 1; there must be at least 2, of 56 units.",
    ),
    Case(
        "unknown coefficient in a power study",
        'fit.power("period5", nsim=10)',
        ArgumentError,
        "unknown coefficient or term in test 'period5'; known: (Intercept), period2, "
        "period3, period4, period. Did you mean 'period'?",
    ),
    Case(
        "effect without a name",
        'fit.power("period2", effect=0.5, nsim=10)',
        ArgumentError,
        "effect is 0.5; it must be a mapping from coefficients to their true values, "
        "such as {'x': 0.5}.",
        instead='fit.power("period2", effect={"period2": 0.5}, nsim=2, seed=1)',
    ),
    Case(
        "unknown component",
        'fit.getME("x")',
        ArgumentError,
        "unknown name 'x'; known: X, Z, Zt, Ztlist, mmList, y, mu, eta, u, b, Gp, Tp, L, "
        "Lambda, Lambdat, Lind, Tlist, A, RX, RZX, W, weights, offset, sigma, phi, "
        "glmer.nb.theta, flist, cnms, fixef, beta, theta, lower, n, N, p, q, k, n_rtrms, "
        "n_rfacs, m, m_i, p_i, l_i, q_i, devcomp, is_REML, REML, ALL. Did you mean 'X'?",
    ),
    Case(
        "unknown residuals",
        'fit.residuals("raw")',
        ArgumentError,
        "unknown type 'raw'; known: deviance, pearson, response, working, quantile.",
        instead='fit.residuals("response")',
    ),
)
