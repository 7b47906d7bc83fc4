"""Numbers as a reader can compare them."""

from __future__ import annotations


def number(value: float) -> str:
    """Two digits: 3.5, 120, 4.5·10¹⁵."""
    if value == float("inf"):
        return "infinite"
    if value < 1e4:
        return f"{value:.1f}" if value < 100 else f"{value:.0f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}·{power_of_ten(int(exponent))}"


def power_of_ten(exponent: int) -> str:
    """10⁴ for 4."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
