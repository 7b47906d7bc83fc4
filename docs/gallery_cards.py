"""The cards of the gallery, made of the studies' own questions, their figures and what was saved with them."""

import json
import re

import studies

SHOWS = {
    "gradient_norms": "Going back one step multiplies the gradient by one number, which theory gives for each gain.",
    "finite_width": "A finite network strays from mean-field theory by a share of 1/n, and comes to it as n grows.",
    "phase_diagram": "One line in the plane parts vanishing from exploding, and it lies where theory puts it.",
    "the_wall": "At the wall of the error, one step throws the parameters away; the clipped step goes on.",
    "bounds": "The bound of the norm of W promises an explosion where gradients vanish.",
    "isometry": "Orthogonal weights keep every direction; Gaussian ones lose most and let a few explode.",
    "lyapunov_spectrum": "The measured spectrum comes to lie on the exact law as networks grow.",
    "curse_of_memory": "The longer the memory, the more a small change of the parameter does, with no explosion.",
    "truncation_bias": "What truncation leaves out falls with the steps that are gone back over, as theory says.",
    "chrono": "Biases drawn over many time scales keep some memory for as long as was asked.",
    "task_floors": "Networks without a memory come down to the floor of a task, and stay there.",
    "during_training": "What a text teaches first is near: the vanilla networks' horizon shrinks as they learn.",
    "flossing": "Pushing the exponents to zero brings the long-range Jacobian's directions together.",
    "newton_cost": "All steps can be solved at once in a few iterations, until the network is chaotic.",
}
SWEEPS = {
    "temporal_order_hours-solved": (
        "A study that was run: temporal order",
        "The longer the sequence, the fewer networks learn the order of two symbols. Clipping with the penalty of "
        "vanishing gradients lasts longest.",
        "manual-rnn study run experiments/studies/temporal_order.py:HOURS",
    ),
    "long_memory_hours-updates_needed": (
        "Do the first gradients tell who learns?",
        "Which start learns which task of long memory, and after how many updates.",
        "manual-rnn study run experiments/studies/long_memory.py:HOURS",
    ),
}


def cards():
    """Markdown of all cards, the studies' first. KeyError for a study about which nothing is said here."""
    made = [_study(name) for name in studies.NAMES] + [_sweep(name) for name in SWEEPS]
    return "::::{container} gallery\n" + "\n".join(made) + "\n::::"


def _study(name):
    heading = studies._doc(name)[0].replace("\n", " ")
    said = f"{SHOWS[name]} {_agreement(name)}"
    return _card(name, studies.ALT[name], f"[{heading}](studies.md#{anchor(heading)})", said, _command(name))


def _sweep(name):
    heading, said, command = SWEEPS[name]
    page = (studies.HERE / "sweeps.md").read_text(encoding="utf-8")
    assert f"## {heading}\n" in page, f"docs/sweeps.md has no section {heading!r}"
    (alt,) = re.findall(rf'figures/{name}-light\.svg" alt="([^"]*)"', page)
    return _card(name, alt, f"[{heading}](sweeps.md#{anchor(heading)})", said, command)


def _card(name, alt, link, said, command):
    return (
        f":::{{container}} gallery-card\n```{{pair}} figures/{name}\n:alt: {alt}\n```\n\n"
        f"**{link}**\n\n{said}\n\n`{command}`\n:::"
    )


def _command(name):
    return f"python experiments/{name}.py"


def _agreement(name):
    """Of the saved numbers that stand beside theory: how many, and the farthest in standard errors."""
    table = json.loads((studies.HERE / "figures" / f"{name}.json").read_text(encoding="utf-8"))["table"]
    off = [abs(line["in_standard_errors"]) for line in table if line["in_standard_errors"] is not None]
    if not off:
        return f"{len(table)} numbers were saved."
    farthest = f"the farthest is {max(off):.1f} standard errors off"
    return f"Of {len(table)} saved numbers, {len(off)} have a theory and a spread; {farthest}."


def anchor(heading):
    """The name that MyST gives to a heading, as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
