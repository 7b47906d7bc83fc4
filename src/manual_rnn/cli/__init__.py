"""The command line, a contract that other programs call: results on stdout, everything else on stderr.

Each command is one file; what it needs beyond NumPy is imported when it runs, so that ``--help`` answers at once.
"""
