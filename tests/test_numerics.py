"""What docs/numerics.md says: its truth is true, the reasons for the choices hold, and the page has the numbers."""

import decimal
import json

import numpy as np
import pytest

from numeric_forms import QUANTITIES
from numerics import BEGIN, DTYPES, END, PAGE, RESULTS, errors, tables, whole_gradients

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no 80 bits here")
TANH, SIGMOID, SIGMOID_SLOPE, SOFTMAX, LOSS, GRADIENT = QUANTITIES


def exact(values):
    return [decimal.Decimal(float(v)) for v in values]


def softmax_of(row):
    e = [o.exp() for o in exact(row)]
    return [k / sum(e) for k in e]


# The truth in 100 digits, from definitions that have no cancellation left to fear at that many.
DEFINITIONS = {
    TANH.name: lambda a: [4 / (v.exp() + (-v).exp()) ** 2 for v in exact(a)],
    SIGMOID.name: lambda a: [1 / (1 + (-v).exp()) for v in exact(a)],
    SIGMOID_SLOPE.name: lambda a: [1 / ((v / 2).exp() + (-v / 2).exp()) ** 2 for v in exact(a)],
    SOFTMAX.name: lambda o: [entry for row in o for entry in softmax_of(row)],
    LOSS.name: lambda o: [-softmax_of(row)[0].ln() for row in o],
    GRADIENT.name: lambda o: [softmax_of(row)[0] - 1 for row in o],
}


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda q: q.name)
def test_the_truth_is_true_to_a_twentieth_of_a_unit(quantity):
    for limits in quantity.ranges.values():
        given = quantity.draw(np.random.default_rng(1), limits, np.float64)[:20]
        ours = quantity.truth(given.astype(np.longdouble)).ravel()
        with decimal.localcontext(prec=100):
            for value, right in zip(ours, DEFINITIONS[quantity.name](given), strict=True):
                mantissa, exponent = np.frexp(value)  # float64's range is not that of 80 bits
                high = float(mantissa)
                as_decimal = decimal.Decimal(high) + decimal.Decimal(float(mantissa - np.longdouble(high)))
                assert abs(as_decimal * decimal.Decimal(2) ** int(exponent) / right - 1) < 0.05 * 2**-53


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_forms_from_the_pre_activation_are_right_everywhere_and_those_from_h_are_not(dtype):
    for quantity, accurate, textbook in (
        (TANH, "4e/(1 + e)², e = exp(−2|a|)", "(1 − h)(1 + h)"),
        (SIGMOID_SLOPE, "e/(1 + e)², e = exp(−|a|)", "s(1 − s)"),
    ):
        found = [errors(quantity, limits, dtype) for limits in quantity.ranges.values()]
        found = [ulp for ulp in found if ulp]
        assert max(ulp[accurate]["max"] for ulp in found) < 8  # two products, a quotient, and an exp to a unit or four
        assert max(ulp[textbook]["median"] for ulp in found) > 1e6


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_sigmoid_is_right_on_either_side_and_one_made_of_tanh_is_not(dtype):
    found = [ulp for limits in SIGMOID.ranges.values() if (ulp := errors(SIGMOID, limits, dtype))]
    assert max(ulp["1/(1 + exp(−a))"]["max"] for ulp in found) < 6
    assert max(ulp["(1 + tanh(a/2))/2"]["median"] for ulp in found) > 1e6


def test_the_slope_s_error_is_seen_where_every_unit_is_saturated_and_only_there():
    for row in whole_gradients():
        eps = np.finfo(DTYPES[row["dtype"]]).eps
        at = row["relative_error"]["12"]
        assert at["rnn_slope_from_a"] < 30 * eps
        if row["saturated"] == "every unit":
            assert at["rnn"] > 1e6 * eps
        else:
            assert at["rnn"] < 2 * at["rnn_slope_from_a"]


def test_the_page_has_the_kept_numbers():
    kept = json.loads(RESULTS.read_text())
    assert PAGE.read_text().split(BEGIN)[1].split(END)[0] == tables(kept["rows"], kept["whole_gradients"])
