"""Ctrl-C and SIGTERM while something is done that may not be disturbed, and where Python would drop them."""

import signal
import threading
import time

import pytest

from manual_rnn.cli.interruption import AtOnce, Stop


def test_the_first_signal_waits_for_the_end_of_what_may_not_be_disturbed_and_the_second_does_not():
    done = []

    def pressed(number):
        signal.raise_signal(number)
        done.append(number)

    with Stop() as stop:
        with pytest.raises(KeyboardInterrupt), stop.undisturbed():
            pressed(signal.SIGINT)
        with pytest.raises(AtOnce), stop.undisturbed():
            pressed(signal.SIGTERM)
    assert done == [signal.SIGINT]
    with Stop(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with Stop() as stop, pytest.raises(TypeError), stop.undisturbed():
        pressed(float(signal.raise_signal(signal.SIGINT)))  # which is no number: the block fails, and says so


def test_a_signal_that_was_ignored_before_stays_ignored_and_other_threads_have_none():
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, usual)
    handlers = []

    def elsewhere():
        with Stop():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL]


def test_ctrl_c_is_heard_where_python_drops_an_exception():
    class Goes:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def pressed():
        Goes()
        for _ in range(500):
            time.sleep(0.01)

    with Stop(), pytest.raises(KeyboardInterrupt):
        pressed()


def test_ctrl_c_while_the_command_loads_or_tells_of_another_is_no_traceback(monkeypatch):
    from manual_rnn import __main__
    from manual_rnn.cli import app

    def pressed():
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "main", pressed)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
