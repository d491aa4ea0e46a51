"""DFGVI (Xu, Li, Zhou, Loy: Deep Flow-Guided Video Inpainting, CVPR 2019): motion is completed, pixels travel along it.

Three steps: a network completes dense motion behind the holes; real pixels are carried along it, forwards and
backwards; what no frame shows is filled in a few key frames by any inpainter of single pictures, and carried on.

What an adapter does:

- Motion between all neighbouring frames, both ways, from any `FlowEstimator` (the authors' was FlowNet2; `RaftFlow`
  does), with the object still in the pictures. Backward motion of frame 0 is zero.
- `complete` for each direction with ``dfgvi-movie``, or with ``dfgvi-stage1`` and then `refine` with ``dfgvi-stage2``
  at 320 x 600 and ``dfgvi-stage3`` at 480 x 840. Motion and masks are brought to those sizes here. Masks tight around
  the object let its motion leak in: grow them (the authors by a box of 10 px, before everything).
- `propagate_all` at the size of the output: pictures of 8 bits or float32 as they are, since pixels are copied and
  never mixed; completed motion is enlarged here. The threshold between 3 and 40 px is the clip's own; the authors'
  programs take 40 in the whole procedure, 20 for propagation alone, and the paper 5.
- Inside the hole all of the result counts; seams are not blended.
- Pixels come from anywhere in the shot, so that all its frames are held at once, at their output size: a long shot is
  to be cut at its ends where nothing corresponds, or worked on small.
"""

from __future__ import annotations

from cleanplate_server.models.networks.dfgvi.completion import REFINED_SIZES, SIZE, Refined, complete, refine
from cleanplate_server.models.networks.dfgvi.network import VARIANTS, DfcNet, Variant, build_dfc
from cleanplate_server.models.networks.dfgvi.propagation import THRESHOLD_PX, enlarge_flow, propagate, propagate_all

__all__ = [
    "REFINED_SIZES",
    "SIZE",
    "THRESHOLD_PX",
    "VARIANTS",
    "DfcNet",
    "Refined",
    "Variant",
    "build_dfc",
    "complete",
    "enlarge_flow",
    "propagate",
    "propagate_all",
    "refine",
]
