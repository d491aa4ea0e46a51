"""ProPainter (Zhou, Li, Chan, Loy: Improving Propagation and Transformer for Video Inpainting, ICCV 2023).

Motion is completed behind the holes; pixels travel along it, forwards and backwards, as far as it can be trusted; a
transformer paints what is left. Weights and the authors' code are for non-commercial use only. Trained at 432 x 240.

What an adapter does, in this order, with everything float32 unless said otherwise:

Size and range. Frames are RGB from -1 to 1 (``2 * rgb - 1``, clipped), at a size whose sides are multiples of 8. The
authors round both down and resize (bicubic), and the result back (bilinear); a border of the nearest pixels, cut off
again (`border_to_multiple`), leaves pixels where they are. Masks are float 0 or 1, resized by nearest neighbour, and
grown by a 3 x 3 cross four times, one and the same for motion and for pictures; holes are what these cover.

Motion. `Raft` (not `RaftFlow`, which sees grey pictures and shrinks them), 20 iterations, never in half precision, on
neighbouring frames with the object still in them: `Flows`, one fewer than there are frames. Pairs are independent, so
that a few at a time do. A shot of one frame cannot be filled: repeat the frame.

Completed motion. `complete_flows` takes that and the masks of all frames. Above 80 flows: blocks of 80 with 5 more on
both sides, where there are any, which are cut off again; a block gets one mask more than it has flows.

Pixels. `propagate_pixels` takes frames, masks and completed motion, and gives frames in which what other frames show
is filled in, with 0 (middle grey) in what is left, and the masks of what is left. Above 80 frames: blocks of 80 with
10 more on both sides, which are cut off again. It copies pixels and mixes none.

Windows. For every f that is a multiple of 5, neighbours f - 5 to f + 5 within the shot, in order, then references. In
shots of up to 80 frames these are all of 0, 10, 20, ... that are no neighbours; in longer ones every tenth from
max(0, f - 40) on, and below f + 40, that is no neighbour. A `Window` has propagated frames, the grown masks and the
masks of what is left, of neighbours and then references, and the completed motion between the neighbours, by which the
network knows how many they are. It needs two frames, references included. Other frames are looked at only near holes
of neighbours; those of references do not count.

Results. ``(painted + 1) / 2`` of every neighbour; references have none. Take what lies in holes, also what propagation
had filled in: it is painted anew. Most frames are painted in two windows or three: sum them with weights and divide
once. The authors halve old and new in order of arrival, and round down to 8 bits each time. ``complete`` and ``decode``
of `ProPainter` part the work, so that frames can be decoded one by one.

Precision and memory. Weights stay float32; under ``torch.autocast`` completed motion, and where things are looked for,
are float32 nevertheless. The authors count 28 GB at 1280 x 720 for blocks of 50 frames and 19 in half precision, and
13 and 8 GB at 720 x 480 for blocks of 80.
"""

from __future__ import annotations

from cleanplate_server.models.networks.propainter.completion import FlowCompletion, complete_flows, predict_flows
from cleanplate_server.models.networks.propainter.flows import Flows
from cleanplate_server.models.networks.propainter.network import ProPainter, Window
from cleanplate_server.models.networks.propainter.pixels import Propagated, propagate_pixels

__all__ = [
    "FlowCompletion",
    "Flows",
    "ProPainter",
    "Propagated",
    "Window",
    "build_flow_completion",
    "build_propainter",
    "complete_flows",
    "predict_flows",
    "propagate_pixels",
]


def build_flow_completion() -> FlowCompletion:
    """Builds an untrained network for motion (``recurrent_flow_completion.pth``) in evaluation mode."""
    return FlowCompletion().eval()


def build_propainter() -> ProPainter:
    """Builds an untrained network for pictures (``ProPainter.pth``) in evaluation mode."""
    return ProPainter().eval()
