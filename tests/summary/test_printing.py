"""What a cell or a prompt shows is what `print` shows, wherever there is a form in HTML."""

import importlib
import inspect
import pkgutil

import pytest

import mixedlm_pt as mlm


def printed_classes():
    """Every class of the package that is shown as HTML."""
    found = {}
    for module in pkgutil.walk_packages(mlm.__path__, "mixedlm_pt."):
        if module.name.endswith(("__main__", ".demo")):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            is_shown = inspect.isclass(value) and hasattr(value, "_repr_html_")
            if is_shown and value.__module__.startswith("mixedlm_pt"):
                found[value.__qualname__] = value
    return found


CLASSES = printed_classes()


def test_there_are_such_classes():
    assert {"Contrasts", "Dataset", "GlmerResult", "ICC", "Loo", "PosteriorResult"} <= set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_repr_is_the_printed_text(name):
    assert CLASSES[name].__repr__ is CLASSES[name].__str__


def test_a_formula_over_several_lines_is_printed_in_one():
    formula = """incidence / size ~ period
                 + (1 | herd)
    """
    fit = mlm.glmer(formula, mlm.load_cbpp(), family="binomial")
    assert "\nFormula: incidence / size ~ period + (1 | herd)\n" in str(fit.summary())


def test_evidence_is_printed_as_a_power_of_ten_where_digits_say_nothing():
    data = mlm.load_grouseticks()
    poisson = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", data, family="poisson")
    without = poisson.update("TICKS ~ 1 + (1 | LOCATION)")
    table = mlm.model_selection(poisson=poisson, without=without)
    evidence = table.to_frame().loc["without", "evidence"]
    assert 1e6 < evidence < 1e300
    assert f" {evidence:.2g}\n" in f"{table}\n"
