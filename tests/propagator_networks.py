"""Networks that follow objects, with the weights of the parity cases: they mean nothing and are the same everywhere."""

from __future__ import annotations

from functools import cache

from cleanplate_server.models.networks.association.network import AssociationNetwork
from cleanplate_server.models.networks.association.propagator import AssociationPropagator, Precision
from cleanplate_server.models.networks.osvos_propagator import OsvosPropagator
from cleanplate_server.models.networks.propagators import build_association
from cleanplate_server.models.protocols import Effort, EngineInfo, Propagator
from parity_networks.case import OWN_CASES, CaseFolder
from torch import Tensor

RECIPE_PROPAGATORS = ("aott", "deaott", "osvos")


def recipe_propagator(name: str) -> Propagator:
    """One of ``RECIPE_PROPAGATORS``, on the CPU; OSVOS sees small frames and learns with one update."""
    if name == "osvos":
        return OsvosPropagator(osvos_parent(), EngineInfo(name), device="cpu", updates=1, long_edge_px=48)
    return association_propagator(name, device="cpu", effort="fast")


def association_propagator(
    name: str, *, device: str, effort: Effort = "balanced", precision: Precision | None = None
) -> AssociationPropagator:
    """AOT or DeAOT by the name of its weights."""
    network = association_network(name, device)
    return AssociationPropagator(network, EngineInfo(name), effort=effort, precision=precision)


@cache
def association_network(name: str, device: str) -> AssociationNetwork:
    """A network of a parity case."""
    folder = _case_folder("deaot" if "deaot" in name else "aot")
    case = next(case for case in folder.description["cases"] if case["model"] == name.replace("-", "_"))
    network = build_association(name)
    network.load_published(folder.state(case["state_dict"], gains=case["gains"]))
    return network.to(device)


@cache
def osvos_parent() -> dict[str, Tensor]:
    """A parent network's weights."""
    folder = _case_folder("osvos")
    return folder.state(gains=folder.description["cases"][0]["gains"])


def _case_folder(name: str) -> CaseFolder:
    return CaseFolder.read(name, OWN_CASES / name)
