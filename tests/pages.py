"""Runs the code blocks of a Markdown page; ``test_readme.py`` says by which convention."""

import contextlib
import difflib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
NOT_RUN = {"text", "math", "toml", "json", "bibtex"}
SECONDS = 300
"""The longest that one command of a page may take."""

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?P<point>\.\d+)?(?P<exponent>e[-+]?\d+)?(?P<unit> (?:s|ms|min|%|×)(?!\w))?")
CUT_SHORT = re.compile(r"--(?:seconds|steps)[ =]\S+")


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after its fence, what stands in it, and between which lines of the page."""

    language: str
    options: str
    content: str
    first: int
    end: int


def blocks(text):
    """The fenced blocks of a page, wherever they stand, as CommonMark finds them."""
    for token in MarkdownIt().parse(text):
        if token.type == "fence":
            language, _, options = token.info.strip().partition(" ")
            yield Block(language, options.strip(), token.content, *token.map)


class Page:
    """A page being run in a folder of its own: what its blocks have defined and printed so far."""

    def __init__(self, path, folder):
        self.path, self.folder, self.text = Path(path), Path(folder), Path(path).read_text(encoding="utf-8")
        self.namespace, self.printed, self.printed_at = {"__name__": "__main__"}, "", 0

    def run(self):
        """Runs every block in order; raises AssertionError, or what a block raised, at the first that is wrong."""
        for block in blocks(self.text):
            self.line = block.first + 1
            if block.options.startswith("skip"):
                self.require(re.match(r"skip: \S", block.options), f"say why: ```{block.language} skip: REASON")
            elif block.language == "python":
                self.python(block)
            elif block.language in ("console", "sh"):
                self.console(block)
            elif block.language == "text" and self.printed and self.follows(block):
                self.compare(block.content, self.printed, block.options)
            else:
                self.require(block.language in NOT_RUN, f"a block of {block.language or 'no language'} is not known")

    def require(self, condition, problem):
        assert condition, f"{self.path.name}:{self.line}: {problem}"

    def follows(self, block):
        """Whether nothing stands between the Python block that printed last and this one."""
        return not "".join(self.text.splitlines()[self.printed_at : block.first]).strip()

    def python(self, block):
        if name := re.match(r"# ([\w./-]+\.py)\n", block.content):
            (self.folder / name[1]).write_text(block.content, encoding="utf-8")
            return
        padded = "\n" * (block.first + 1) + block.content  # so that tracebacks have the line of the page
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(padded, str(self.path), "exec"), self.namespace)
        self.printed, self.printed_at = out.getvalue(), block.end

    def console(self, block):
        session = [[]]
        for number, line in enumerate(block.content.splitlines(), block.first + 2):
            if line.startswith("$ ") or (block.language == "sh" and line.strip()):
                session.append([number, line.removeprefix("$ ").partition("  #")[0].strip()])
            else:
                session[-1].append(line)
        before, *commands = session
        self.require(not "".join(before).strip() and commands, "a console block begins with '$ ' and a command")
        code = 0
        for (number, command, *shown), following in zip(commands, [*commands[1:], [0, ""]], strict=True):
            self.line = number
            if command == "echo $?":
                self.compare("\n".join(shown), str(code), "")
            elif not command.startswith(("git clone ", "cd ")):
                code, told = self.command(command)
                expected = "\n".join(shown)
                if expected.strip():
                    self.compare(expected, told, block.options)
                announced = following[1] == "echo $?"
                self.require(code == 0 or announced, f"{command!r} ended with exit code {code}:\n{told}")

    def command(self, command):
        """(exit code, stdout and stderr as a terminal has them) of a command line."""
        if "tools/fresh.py" in command:  # it would set up, and test, from within the test
            words = command[command.index("tools/fresh.py") :]
            ci = re.sub(r" --venv \S+", "", (ROOT / ".ci/run").read_text(encoding="utf-8"))
            self.require(f"{words}\n" in ci, f".ci/run, which runs such commands, has no {words!r}")
            return 0, ""
        program, *arguments = shlex.split(command)
        if program == "manual-rnn" and arguments[:1] == ["train"]:
            arguments = [*shlex.split(CUT_SHORT.sub("", shlex.join(arguments))), "--steps", "20"]
        if any(argument.startswith("experiments/") for argument in arguments):
            arguments = [*arguments, *({"--quick"} - set(arguments))]
        modules = {"manual-rnn": ["-m", "manual_rnn"], "pytest": ["-m", "pytest"], "python": [], "python3": []}
        self.require(program in modules, f"{program!r} is not a command that a page may run: skip: REASON says why not")
        done = subprocess.run(
            [sys.executable, *modules[program], *arguments],
            cwd=self.folder, env=os.environ | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", timeout=SECONDS, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def compare(self, shown, told, options):
        pattern = "".join(
            r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + "\n"
            for line in masked(shown.replace("...", "…"), options)
        )
        if not re.fullmatch(pattern, "".join(f"{line}\n" for line in masked(told, options))):
            sides = masked(shown, options), masked(told, options)
            difference = "\n".join(difflib.unified_diff(*sides, "on the page", "in truth", lineterm=""))
            self.require(False, f"another output than the page shows:\n{difference}\nAll of it, unmasked:\n{told}")


def masked(text, options):
    """The lines of an output without what varies from one run, or one width of a table, to the next."""
    every = "numbers" in options

    def mask(number):
        kind = number["exponent"] or number["point"] or number["unit"] or every
        return f"#{'e' * bool(number['exponent'])}{number['unit'] or ''}" if kind else number[0]

    lines = (" ".join(NUMBER.sub(mask, line).split()) for line in text.splitlines())
    return [re.sub(r"([─━═=-])\1{2,}", r"\1\1\1", line) for line in lines if line]
