"""``python -m manual_rnn``: the same as ``manual-rnn``."""

import sys


def main() -> None:
    """The entry point of the command line."""
    from manual_rnn.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
