"""The same networks in JAX, as plainly as they can be written; their gradients come from ``jax.grad``."""

from reference.autodiff import autodiff

__all__ = ["autodiff"]
