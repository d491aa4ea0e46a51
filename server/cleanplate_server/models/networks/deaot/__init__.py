"""DeAOT (Yang, Yang: Decoupling Features in Hierarchical Propagation for Video Object Segmentation, NeurIPS 2022)."""

from __future__ import annotations

from cleanplate_server.models.networks.aot import NEVER
from cleanplate_server.models.networks.association.network import AssociationNetwork, Variant
from cleanplate_server.models.networks.deaot.transformer import GatedPropagationTransformer

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("deaott", "mobilenet_v2", layers=1, long_term_gap=NEVER),
        Variant("deaots", "mobilenet_v2", layers=2, long_term_gap=NEVER),
        Variant("deaotb", "mobilenet_v2", layers=3, long_term_gap=NEVER),
        Variant("deaotl", "mobilenet_v2", layers=3, long_term_gap=5),
        Variant("r50_deaotl", "resnet50", layers=3, long_term_gap=5),
        Variant("swinb_deaotl", "swin_b", layers=3, long_term_gap=5),
    )
}


def build_deaot(variant: Variant) -> AssociationNetwork:
    """Builds an untrained DeAOT in evaluation mode."""
    return AssociationNetwork(variant, GatedPropagationTransformer(variant.layers), norms_identity=True).eval()
