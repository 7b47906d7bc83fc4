"""Sets up a fresh machine, then runs the main job, or the tests. It needs Python 3.11 or later and nothing else.

    python3 tools/fresh.py demo [OPTION OF manual-rnn train ...]   verify the rnn, train it on English prose, sample
    python3 tools/fresh.py test [OPTION OF pytest ...]             run the tests
    python3 tools/fresh.py lint [OPTION OF ruff check ...]         check style and types
    python3 tools/fresh.py docs [OPTION OF sphinx-build ...]       build the book into out/docs

The environment is .venv beside pyproject.toml, or the folder that --venv names, before the job. It is made once, and
anew for another Python; the package is installed once, and again after a change of pyproject.toml.
"""

import argparse
import hashlib
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = "Scripts" if os.name == "nt" else "bin"


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def run(*command, advice="", **options):
    """Shows a command and runs it in the project's folder; if it fails, everything ends with its exit code."""
    words = [str(word) for word in command]
    say("$ " + " ".join(words))
    code = subprocess.run(words, cwd=ROOT, check=False, **options).returncode
    if code:
        say(f"fresh.py: this command ended with exit code {code}. {advice}".rstrip())
        sys.exit(code if code > 0 else 128 - code)


def set_up(venv, extra):
    """Makes the environment, and installs the package with an extra; either only if it has not been done."""
    place, record = ROOT / venv, ROOT / venv / "fresh.json"
    done = json.loads(record.read_text()) if record.exists() else {}
    if done.get("python") != platform.python_version():
        if place.exists() and not record.exists():
            say(f"fresh.py: {venv} is there already and was not made by this program; --venv FOLDER takes another.")
            sys.exit(3)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        record.write_text("{}")  # so that it counts as ours, even if the next line fails
        advice = "On Debian and Ubuntu, Python's venv is a package of its own: python3-venv."
        run(sys.executable, "-m", "venv", venv, advice=advice, stdout=sys.stderr)
        done = {"python": platform.python_version()}
        record.write_text(json.dumps(done))
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if wanted not in ([done.get(extra)] if extra else done.values()):
        say("Installing manual-rnn and what it needs; JAX is large, this takes a minute or so.")
        start, pip = time.monotonic(), [venv / BIN / "python", "-m", "pip", "--disable-pip-version-check"]
        what = f".[{extra}]" if extra else "."
        run(*pip, "install", "--quiet", "--editable", what, advice="Is there a network?", stdout=sys.stderr)
        record.write_text(json.dumps({**done, extra: wanted}))
        say(f"Installed in {time.monotonic() - start:.0f} s.")


def demo(venv, options):
    """The main job: the derivation is verified, the network learns from a text, and writes."""
    names = itertools.chain(["first"], (f"first-{n}" for n in itertools.count(2)))
    out = next(Path("runs", name) for name in names if not (ROOT / "runs" / name).exists())
    manual_rnn = venv / BIN / "manual-rnn"
    run(manual_rnn, "verify", "rnn")
    run(manual_rnn, "train", "--out", out, *(options or ["--cell", "rnn", "--layers", "1", "--seconds", "30"]))
    run(manual_rnn, "sample", out)
    say(f"\nAll of it worked. The model is in {out}.")


def test(venv, options):
    run(venv / BIN / "python", "-m", "pytest", *options)


def lint(venv, options):
    run(venv / BIN / "ruff", "check", *options)
    run(venv / BIN / "mypy")


def docs(venv, options):
    book = ROOT / "out" / "docs"
    run(venv / BIN / "python", "-m", "sphinx", "-E", "-W", "--keep-going", "-q", "-b", "html", *options, "docs", book)
    say(f"The book is {book / 'index.html'}.")


JOBS = {"demo": (demo, ""), "test": (test, "test"), "lint": (lint, "lint"), "docs": (docs, "docs")}
"""Each job, and the extra of the package that it needs."""


def main():
    if sys.version_info < (3, 11):  # noqa: UP036 (it is the older ones that have to be told)
        say(f"fresh.py: manual-rnn needs Python 3.11 or later; this is {platform.python_version()}.")
        sys.exit(3)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=Path(".venv"), metavar="FOLDER")
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("options", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    job, extra = JOBS[given.job]
    set_up(given.venv, extra)
    job(given.venv, given.options)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("fresh.py: interrupted.")
        sys.exit(130)
