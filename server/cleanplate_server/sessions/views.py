"""A session's masks as they are looked at, by the code that jobs use."""

from __future__ import annotations

import numpy as np

from cleanplate_server.errors import InputError, NotFoundError
from cleanplate_server.models.protocols import Mask
from cleanplate_server.pipeline.remove import default_feather_px
from cleanplate_server.sessions.blobs import Codes, unpack_mask
from cleanplate_server.sessions.state import SessionState
from cleanplate_server.stages.composite import grow, soft_edge


class Views:
    """Masks and mattes of single frames.

    Args:
        state: of the session.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def current_mask(self, object_id: int, frame: int) -> Mask:
        """What is shown of an object on a frame; all False where nothing is."""
        mask = self._state.tracks.mask(object_id, frame)
        return np.zeros(self._state.clip.media.size, np.bool_) if mask is None else mask

    def mask(self, object_id: int, frame: int) -> Mask:
        """An object's mask, or for 0 that of all visible ones: bool [H, W].

        Raises:
            NotFoundError: there is none.
        """
        self._state.check_frame(frame)
        if object_id:
            found = self._state.tracks.mask(object_id, frame)
        else:
            joined = self._state.tracks.union(self._state.visible(), frame, self._state.clip.media.size)
            found = joined if joined.any() else None
        if found is None:
            what = f"object {object_id} has" if object_id else "the objects have"
            raise NotFoundError(f"{what} no mask on frame {frame}; prompt there, or follow that far", reason="NO_MASK")
        return found

    def matte(self, frame: int, *, grow_px: int | None, feather_px: int | None, with_shadow: bool | None) -> Codes:
        """What would be replaced on a frame: uint8 [H, W], 255 wholly. None is as the settings have it.

        Raises:
            RangeError, InputError.
        """
        self._state.check_frame(frame)
        for name, value in (("grow_px", grow_px), ("feather_px", feather_px)):
            if value is not None and value < 0:
                raise InputError(f"{name} = {value} makes no sense; give 0 or more pixels")
        grow_px = self._state.grow_px if grow_px is None else grow_px
        if feather_px is None:
            fits = self._state.settings.HasField("feather_px")
            feather_px = self._state.settings.feather_px if fits else default_feather_px(grow_px)
        union = self._state.tracks.union(self._state.visible(), frame, self._state.clip.media.size)
        if self._state.settings.with_shadow if with_shadow is None else with_shadow:
            shadow = self._state.store.shadow(frame)
            union = union if shadow is None else union | unpack_mask(shadow)
        return np.asarray(np.rint(soft_edge(grow(union, grow_px), feather_px) * 255), np.uint8)
