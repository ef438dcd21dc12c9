from ctypes import CFUNCTYPE, c_void_p

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import grad

from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.row_loop import DECLARATIONS
from mixedlm_pt.compile.written_out import NotCompilableError, vector_function
from mixedlm_pt.linalg.machine_code import machine_code


def run(name, inputs, outputs, values):
    """The outputs one after the other, computed by machine code."""
    text, numbers = vector_function(name, inputs, outputs)
    text = text.replace("define internal", "define")
    [address] = machine_code("\n".join([*DECLARATIONS, text]), name)
    shapes = [variable.type.shape for variable in outputs]
    out = np.full(int(sum(np.prod(shape) for shape in shapes)), np.nan)
    arrays = [*values, numbers, out]
    CFUNCTYPE(None, *[c_void_p] * len(arrays))(address)(*(a.ctypes.data for a in arrays))
    return out


def test_places_and_arithmetic_are_those_of_the_graph():
    x, g = pt.vector("x", shape=(5,)), pt.vector("g", shape=(4,))
    L = pt.set_subtensor(pt.zeros((2, 2))[[0, 1, 1], [0, 0, 1]], x[:3])
    S = (L @ L.T) * pt.stack([x[3], 2.0]) + pt.tanh(x[4])
    head = pt.switch(x[:2] > 0.1, pt.log1p(x[:2] ** 2), 3.0)
    vector = pt.concatenate([head, [x.sum(), pt.diagonal(S)[1]]])
    outputs = [S, vector, grad((g * vector).sum() + (S**2).sum(), x)]
    outputs = [pt.specify_shape(v, s) for v, s in zip(outputs, [(2, 2), (4,), (5,)], strict=True)]
    values = [np.array([0.7, -0.3, 1.2, 0.4, -0.9]), np.array([1.0, -2.0, 0.5, 0.3])]
    expected = pytensor.function([x, g], outputs, mode=NUMPY)(*values)
    made = run("written_out_test", [x, g], outputs, values)
    np.testing.assert_allclose(made, np.concatenate([v.ravel() for v in expected]), rtol=1e-14)


def test_constant_outputs_are_written():
    x = pt.vector("x", shape=(1,))
    outputs = [pt.as_tensor_variable(np.array([2.0, 3.0]))]
    made = run("written_out_constant", [x], outputs, [np.zeros(1)])
    np.testing.assert_array_equal(made, [2.0, 3.0])


def test_an_op_without_instructions_is_refused():
    x = pt.vector("x", shape=(1,))
    with pytest.raises(NotCompilableError, match=r"(?i)arctan"):
        vector_function("refused", [x], [pt.arctan(x)])


def test_other_numbers_make_the_same_text():
    x = pt.vector("x", shape=(2,))
    texts = {vector_function("f", [x], [pt.exp(x * scale)])[0] for scale in (0.123, 4.56)}
    assert len(texts) == 1
