"""Windows are contiguous in every stream, cover the text, and say where the state starts anew."""

import numpy as np
import pytest

from manual_rnn.windows import Windows


@pytest.mark.parametrize(("N", "T", "B"), [(101, 10, 2), (97, 5, 3), (8, 7, 1), (50, 7, 7)])
def test_windows_go_on_where_the_one_before_ended(N, T, B):
    windows = Windows.of(np.arange(N), T=T, B=B)
    for k in range(3 * windows.per_epoch):
        window = windows[k]
        assert window.x.shape == window.y.shape == (T, B)
        np.testing.assert_array_equal(window.y, window.x + 1)
        np.testing.assert_array_equal(window.x[1:], window.x[:-1] + 1)
        assert window.starts == (k % windows.per_epoch == 0)
        if not window.starts:
            np.testing.assert_array_equal(window.x[0], windows[k - 1].x[-1] + 1)


def test_two_epochs_show_every_step_of_every_stream():
    windows = Windows.of(np.arange(105), T=7, B=4)  # streams of 26: three windows, five steps left over
    seen = np.unique([windows[k].x for k in range(2 * windows.per_epoch)])
    np.testing.assert_array_equal(seen, np.arange(104))


def test_streams_are_the_contiguous_parts_of_the_text():
    windows = Windows.of(np.arange(13), T=2, B=3)
    np.testing.assert_array_equal(windows.x.T, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    np.testing.assert_array_equal(windows[0].x, [[0, 4, 8], [1, 5, 9]])


def test_too_few_ids_are_refused():
    with pytest.raises(ValueError, match="6 ids make 2 streams of 2; windows of 3 need 7 ids"):
        Windows.of(np.arange(6), T=3, B=2)
