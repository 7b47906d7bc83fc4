"""Xarray, which labels what the diagnostics return, or one sentence that says how to get it."""

try:
    import xarray as xr
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'The diagnostics need {error.name}, which is not installed; it comes with: pip install "manual-rnn[figures]".',
        name=error.name,
    ) from None

__all__ = ["xr"]
