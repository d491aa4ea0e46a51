"""How large the networks that follow objects see frames, and how many they keep; told without loading PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

from cleanplate_server.models.protocols import Effort

LONG_EDGE_PX = 1040
"""AOT and DeAOT see larger pictures reduced to this: 1.3 times the long edge that they were trained for."""
ASSOCIATION_LONG_EDGES_PX: Mapping[Effort, int] = {"fast": 640, "balanced": LONG_EDGE_PX, "best": LONG_EDGE_PX}
OSVOS_LONG_EDGES_PX: Mapping[Effort, int] = {"fast": 640, "balanced": 854, "best": 1068}
"""The parent saw 854 x 480, and 1.25 times that at most."""
STORED_FRAMES: Mapping[Effort, int] = {"fast": 3, "balanced": 6, "best": 12}
"""Followed frames that stay stored by AOT and DeAOT, where they remember any."""
