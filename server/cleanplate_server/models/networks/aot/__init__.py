"""AOT (Yang, Wei, Yang: Associating Objects with Transformers for Video Object Segmentation, NeurIPS 2021)."""

from __future__ import annotations

from cleanplate_server.models.networks.aot.transformer import LongShortTermTransformer
from cleanplate_server.models.networks.association.network import AssociationNetwork, Variant

NEVER = 9999
"""A gap that no shot reaches: only frames with given labels are stored."""

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("aott", "mobilenet_v2", layers=1, long_term_gap=NEVER),
        Variant("aots", "mobilenet_v2", layers=2, long_term_gap=NEVER),
        Variant("aotb", "mobilenet_v2", layers=3, long_term_gap=NEVER),
        Variant("aotl", "mobilenet_v2", layers=3, long_term_gap=5),
        Variant("r50_aotl", "resnet50", layers=3, long_term_gap=5),
        Variant("swinb_aotl", "swin_b", layers=3, long_term_gap=5),
    )
}


def build_aot(variant: Variant) -> AssociationNetwork:
    """Builds an untrained AOT in evaluation mode."""
    return AssociationNetwork(variant, LongShortTermTransformer(variant.layers), norms_identity=False).eval()
