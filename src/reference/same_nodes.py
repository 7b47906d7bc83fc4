"""Whether a problem is one of a network of steps: of as many layers, of both directions, of learned initial states."""

from collections.abc import Mapping
from typing import Any

from reference.network import Network, learned_name


def check_same_nodes(network: Network, source: str, problem: Mapping[str, Any]) -> None:
    """Raises ValueError where it is not. ``source`` is what the oracle is called.

    What it cannot see: whether the steps are those of the problem's cell.
    """
    given = list(dict.fromkeys(_place_of(state) for state in problem["initial"]))
    own = [_place_of(place.prefix) for place in network.places]
    if set(given) != set(own):
        missing, unknown = [p for p in given if p not in own], [p for p in own if p not in given]
        raise ValueError(
            f"The network and its oracle, {source}, do not have the same nodes. Only the network has: "
            f"{', '.join(missing) or 'nothing'}; only the oracle has: {', '.join(unknown) or 'nothing'}. "
            "Give stack and autodiff the same layers= and bidirectional=."
        )
    learned = all(learned_name(state) in problem["params"] for state in problem["initial"])
    if learned != network.learned_initial:
        has, lacks = ("network", "oracle") if learned else ("oracle", "network")
        raise ValueError(
            f"The initial states are parameters of the {has}, but not of the {lacks}; the oracle is {source}. "
            "Give stack and autodiff the same learned_initial=."
        )


def _place_of(name: str) -> str:
    """Where in a network a name is: ``layer2_reverse.*``, or a single cell's."""
    place, point, _ = name.rpartition(".")
    return f"{place}{point}*" if point else "the names of a single cell"
