"""Symbolic inputs of a model's graphs: data first, then parameters, then random effects."""

from dataclasses import dataclass

import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, IntArray, Matrix, Scalar, Vector
from mixedlm_pt.covariance import Covariance
from mixedlm_pt.families import Family
from mixedlm_pt.linalg import Layout
from mixedlm_pt.model import GLMM


@dataclass(frozen=True, eq=False)
class GLMMGraph:
    """The model's structure and one symbolic variable for each of its inputs.

    Nothing here depends on the numbers: data are inputs, never constants, so that one compiled
    function serves refits, profiles and bootstraps.

    Attributes
    ----------
    y, w, offset : vector, shape (n,)
    X : matrix, shape (n, p)
    Z : tuple of matrices, shape (n, k), one a term
    index : tuple of integer tensors
        Index arrays of the structure.
    beta, theta, u : vectors, shapes (p,), (n_theta,), (q,)
    log_phi : scalar
    """

    family: Family
    covariances: tuple[Covariance, ...]
    term_widths: tuple[int, ...]
    theta_slices: tuple[slice, ...]
    factor_terms: tuple[tuple[int, ...], ...]
    layout: Layout | None
    y: Vector
    w: Vector
    offset: Vector
    X: Matrix
    Z: tuple[Matrix, ...]
    index: tuple[Matrix, ...]
    beta: Vector
    theta: Vector
    log_phi: Scalar
    u: Vector

    @classmethod
    def of(cls, model: GLMM) -> "GLMMGraph":
        """Symbolic variables for a model of this signature."""
        structure = model.structure
        index = () if structure is None else structure.index
        return cls(
            family=model.family,
            covariances=model.covariances,
            term_widths=model.term_widths,
            theta_slices=model.theta_slices,
            factor_terms=model.factor_terms,
            layout=None if structure is None else structure.layout,
            y=pt.dvector("y"),
            w=pt.dvector("w"),
            offset=pt.dvector("offset"),
            X=pt.dmatrix("X"),
            Z=tuple(
                pt.tensor(f"Z{t}", dtype="float64", shape=(None, width))
                for t, width in enumerate(model.term_widths)
            ),
            index=tuple(
                pt.tensor(f"index{i}", dtype="int64", shape=(None, *array.shape[1:]))
                for i, array in enumerate(index)
            ),
            beta=pt.dvector("beta"),
            theta=pt.tensor("theta", dtype="float64", shape=(model.n_theta,)),
            log_phi=pt.dscalar("log_phi"),
            u=pt.dvector("u"),
        )

    @property
    def data(self) -> list[Vector]:
        """The data inputs, in the order of `data_of`."""
        return [self.y, self.w, self.offset, self.X, *self.Z, *self.index]

    @property
    def parameters(self) -> list[Vector]:
        """The parameter inputs: beta, theta, log phi."""
        return [self.beta, self.theta, self.log_phi]

    @property
    def phi(self) -> Scalar:
        """Dispersion or shape; 1 or the user's constant where it is not estimated."""
        return pt.exp(self.log_phi)


def data_of(model: GLMM) -> list[FloatArray | IntArray]:
    """The arrays behind `GLMMGraph.data`."""
    design, structure = model.design, model.structure
    return [
        design.response.y,
        design.response.weights,
        design.offset,
        design.X,
        *(term.Z for term in design.terms),
        *(() if structure is None else structure.index),
    ]
