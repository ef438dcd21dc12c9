"""Aliases for the arrays and symbolic variables that signatures name."""

import numpy as np
from numpy.typing import NDArray
from pytensor.tensor import TensorVariable

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type BoolArray = NDArray[np.bool_]

# PyTensor does not type the number of dimensions: these aliases state it for the reader.
type Scalar = TensorVariable
type Vector = TensorVariable
type Matrix = TensorVariable
