"""The demo runs from end to end."""

import re

import pytest
from rich.console import Console

from mixedlm_pt import demo


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_demo_fits_a_terminal_of_100_columns():
    console = Console(width=100, record=True, highlight=False)
    demo.main(draws=300, console=console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    for fact in ("-1.3985", "nAGQ = 10", "normal(location = 0, scale = 5.722)", "ESS", "Shift"):
        assert fact in text
    assert re.search(r"done in \d+\.\d\d s", text)
