"""``python -m manual_rnn``: the same as ``manual-rnn``."""

import signal
import sys


def main() -> None:
    """The entry point of the command line."""
    try:
        from manual_rnn.cli.app import main as run

        code = run()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to be interrupted
    except KeyboardInterrupt:  # while it loads, or while an earlier one is told
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
