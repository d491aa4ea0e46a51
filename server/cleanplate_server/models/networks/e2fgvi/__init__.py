"""E2FGVI (Li, Lu, Qin, Guo, Cheng: Towards An End-to-End Framework for Flow-Guided Video Inpainting, CVPR 2022).

All frames of a window go through one network together: local frames, which follow each other, exchange features along
optical flow; a transformer then lets these and reference frames from anywhere in the shot exchange tokens. The weights
are under CC BY-NC 4.0. The base network takes frames of 432 x 240 only; HQ takes any whose width is a multiple of 108
and whose height is one of 60.

What the network is to be given, and what its results are good for:

Frames are RGB from -1 to 1 (``2 * rgb - 1``, clipped, since it has seen nothing beyond), and 0 (middle grey) in the
holes: ``frames * (1 - mask)``. The mask itself is never an input. Published results are with masks grown by a 3 x 3
cross four times, and with masks resized by nearest neighbour.

Base: resize frames (bicubic) to 432 x 240, and the result back. HQ: zero the holes, then mirror below and at the right
up to the multiples, the last row and column once more (numpy's ``symmetric``, OpenCV's ``BORDER_REFLECT``; torch has no
such mode), and crop the result. The published mirroring goes once and needs frames of at least 54 x 30. HQ too was
trained at 432 x 240: large holes in much larger pictures get blurry, and at 648 x 360 to 1280 x 720 people have run out
of 8 to 24 GB.

For a frame f that is a multiple of 5: neighbours are f - 5 to f + 5 within the shot, at least 2 of them, in order,
the first ``local_count`` frames of the input; references are every tenth frame of the whole shot, 0, 10, 20 and so on,
that is no neighbour, after them. A shot of one frame cannot be filled (repeat the frame). Attention is over all frames
at once, so that references are to be limited to 10 or 20 in long shots.

Take the first ``local_count`` frames of the result and only those, ``(frames + 1) / 2``, and of them only what lies in
the hole. Most frames are local in two windows or three; the published procedure halves old and new in order of arrival.

Precision: weights stay float32; under ``torch.autocast`` flow and places are computed in float32 nevertheless.
"""

from __future__ import annotations

from cleanplate_server.models.networks.e2fgvi.network import BASE_SIZE, E2fgvi


def build_e2fgvi() -> E2fgvi:
    """Builds an untrained E2FGVI, for frames of 432 x 240, in evaluation mode."""
    return E2fgvi(BASE_SIZE).eval()


def build_e2fgvi_hq() -> E2fgvi:
    """Builds an untrained E2FGVI-HQ in evaluation mode."""
    return E2fgvi(None).eval()
