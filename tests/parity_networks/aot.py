"""AOT's cases."""

from __future__ import annotations

from collections.abc import Iterator

from cleanplate_server.models.networks.aot import VARIANTS, build_aot

from parity_networks._label_walk import Tap, compare_walks
from parity_networks.case import CaseFolder, Compared

_TAPS = {
    "net_in": Tap("picture", frame=1, axes=(2, 3), step=4),
    "enc_proj": Tap("encoder_projector", frame=1, axes=(1,), step=8),
    "id_bank": Tap("patch_wise_id_bank", frame=0, axes=(1,), step=8),
    "ref_l0_self": Tap("LSTT.layers.0.self_attn", frame=0, axes=(2,), step=8),
    "l0_long": Tap("LSTT.layers.0.long_term_attn", frame=1, axes=(2,), step=8),
    "l0_short": Tap("LSTT.layers.0.short_term_attn", frame=1, axes=(2,), step=8),
    "last_norm": Tap("LSTT.decoder_norms.-1", frame=-1, axes=(2,), step=8),
    "dec_16x": Tap("decoder.conv_16x", frame=1, axes=(1,), step=8),
}


def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of AOT's cases."""
    yield from compare_walks(case, lambda name: build_aot(VARIANTS[name]), _TAPS)
