"""The same networks in JAX, as plainly as they can be written; their gradients come from ``jax.grad``."""

from reference.autodiff import autodiff
from reference.lyapunov import lyapunov_exponents
from reference.own_forward import autodiff_of
from reference.second_order import hessian_vector
from reference.truncated import truncated_bptt

__all__ = ["autodiff", "autodiff_of", "hessian_vector", "lyapunov_exponents", "truncated_bptt"]
