"""DeAOT's cases."""

from __future__ import annotations

from collections.abc import Iterator

from cleanplate_server.models.networks.deaot import VARIANTS, build_deaot

from parity_networks._label_walk import Tap, compare_walks
from parity_networks.case import CaseFolder, Compared

_TAPS = {
    "net_in": Tap("picture", frame=1, axes=(2, 3), step=4),
    "enc_proj": Tap("encoder_projector", frame=1, axes=(1,), step=8),
    "id_norm": Tap("id_norm", frame=0, axes=(3,), step=8),
    "ref_l0_long": Tap("LSTT.layers.0.long_term_attn", frame=0, axes=(2,), step=16),
    "l0_long": Tap("LSTT.layers.0.long_term_attn", frame=1, axes=(2,), step=16),
    "l0_short": Tap("LSTT.layers.0.short_term_attn", frame=1, axes=(2,), step=16),
    "l0_self": Tap("LSTT.layers.0.self_attn", frame=1, axes=(2,), step=16),
    "last_norm": Tap("LSTT.decoder_norms.0", frame=-1, axes=(2,), step=16),
    "dec_16x": Tap("decoder.conv_16x", frame=1, axes=(1,), step=8),
}


def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of DeAOT's cases."""
    yield from compare_walks(case, lambda name: build_deaot(VARIANTS[name]), _TAPS)
