"""From a session to a job: what it is asked to do, and the masks that are handed to it."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from cleanplate.v1 import job_pb2, media_pb2, picker_pb2, prompt_pb2

from cleanplate_server.errors import MaskError, StateError
from cleanplate_server.sessions.blobs import encode_png
from cleanplate_server.sessions.session import PickSession
from cleanplate_server.sessions.spans import FrameState
from cleanplate_server.sessions.store import TakeRow
from cleanplate_server.stages.windows import write_mask

PREVIEW_LIMIT = 16


@dataclass(frozen=True)
class Order:
    """A job that is ready to be submitted.

    Args:
        spec: what it is to do.
        row: what the session keeps of it, without the job's id.
    """

    spec: job_pb2.JobSpec
    row: TakeRow

    def under(self, job_id: str) -> TakeRow:
        """What the session keeps, once the job has an id."""
        return replace(self.row, job_id=job_id)


class TakeMaker:
    """Orders takes and previews of one session.

    Args:
        session: whose.
        folder: of the session; what is handed over lies below it.
    """

    def __init__(self, session: PickSession, folder: Path) -> None:
        self._session = session
        self._folder = folder

    def take(self, path: str, *, overwrite: bool, omit_audio: bool) -> Order:
        """The job for the whole range.

        Args:
            path: absolute path of the media to write.

        Raises:
            StateError: no visible object has a key.
        """
        place = self._new_place()
        spec = self._spec(place)
        settings = self._session.state.settings
        spec.output.CopyFrom(
            job_pb2.Output(
                path=path,
                codec=settings.codec,
                delivery=settings.delivery,
                overwrite=overwrite,
                omit_audio=omit_audio,
                unseen_path="" if settings.delivery == job_pb2.DELIVERY_MATTE else str(place / "unseen"),
            )
        )
        frames = self._session.state.clip.frames
        row = TakeRow("", False, frames, settings.SerializeToString(), Path(path), place / "unseen")
        return Order(spec, row)

    def preview(self, start_frame: int, frame_count: int) -> Order:
        """The job that fills a few frames.

        Raises:
            StateError: no visible object has a key.
            RangeError: frames outside the range.
            MaskError: too many frames, or none of them has a mask.
        """
        if not 1 <= frame_count <= PREVIEW_LIMIT:
            raise MaskError(f"a preview of {frame_count} frames is not made; choose 1 to {PREVIEW_LIMIT}")
        frames = range(start_frame, start_frame + frame_count)
        for frame in (frames[0], frames[-1]):
            self._session.state.check_frame(frame)
        shown = self._session.state.tracks.shown
        if all(shown(o, frame).state is FrameState.NONE for o in self._session.state.visible() for frame in frames):
            raise StateError(
                f"no object has a mask on frames {frames[0]} to {frames[-1]}; follow that far first", reason="NO_MASK"
            )
        place = self._new_place()
        spec = self._spec(place)
        spec.remove.preview.CopyFrom(media_pb2.FrameRange(start_frame=start_frame, frame_count=frame_count))
        spec.output.CopyFrom(job_pb2.Output(path=str(place / "frames"), unseen_path=str(place / "unseen")))
        settings = self._session.state.settings.SerializeToString()
        return Order(spec, TakeRow("", True, frames, settings, place / "frames", place / "unseen"))

    def let_go(self, row: TakeRow) -> None:
        """Frees the masks that were handed to a job which has succeeded, and so will not run again."""
        for handed in row.unseen_path.parent.glob("object-*"):
            shutil.rmtree(handed, ignore_errors=True)

    def _new_place(self) -> Path:
        place = self._folder / "takes" / secrets.token_hex(6)
        place.mkdir(parents=True)
        return place

    def _spec(self, place: Path) -> job_pb2.JobSpec:
        session, settings = self._session, self._session.state.settings
        clip = session.state.clip
        spec = job_pb2.JobSpec(
            path=str(clip.media.path),
            stream_index=clip.media.stream_index,
            range=media_pb2.FrameRange(
                start_frame=clip.start_frame, frame_count=clip.frame_count, handle_frame_count=clip.handle_frames
            ),
            sequence_rate=media_pb2.Rational(
                numerator=clip.media.rate.numerator, denominator=clip.media.rate.denominator
            ),
            engines=settings.engines,
            effort=settings.effort,
        )
        remove = job_pb2.RemoveOperation(
            prompts=self._prompts(), grow_px=session.state.grow_px, feather_px=session.state.feather_px,
            with_shadow=settings.with_shadow, followed=self._hand_over(place),
        )  # fmt: skip
        spec.remove.CopyFrom(remove)
        return spec

    def _prompts(self) -> list[prompt_pb2.Prompt]:
        """What was said on every key of the visible objects; their masks are handed over apart."""
        keyed = {(key.object_id, key.frame) for key in self._session.state.store.key_marks()}
        visible = set(self._session.state.visible())
        prompts = []
        for object_id, frame, message in self._session.state.store.said():
            if object_id in visible and (object_id, frame) in keyed and frame in self._session.state.clip.frames:
                prompt = picker_pb2.PromptedFrame.FromString(message).prompt
                for field in ("mask", "object_name", "name_hit", "every_shot"):
                    prompt.ClearField(field)
                self._make_positive(prompt, object_id, frame)
                prompts.append(prompt)
        if not prompts:
            raise StateError(
                "no object has a mask yet, so there is nothing to remove; click on the object first", reason="NO_KEY"
            )
        return prompts

    def _make_positive(self, prompt: prompt_pb2.Prompt, object_id: int, frame: int) -> None:
        """Says by its mask what a prompt means that was painted, or named."""
        inside = prompt_pb2.Point.SIDE_INSIDE
        sides = [point.side for point in prompt.points] + [stroke.side for stroke in prompt.strokes]
        if not prompt.HasField("box") and inside not in sides:
            prompt.mask.png = encode_png(self._session.views.current_mask(object_id, frame).astype(np.uint8) * 255)

    def _hand_over(self, place: Path) -> list[job_pb2.FollowedObject]:
        """Copies all masks that are still right, so that later changes do not reach the job."""
        handed = []
        for object_id in self._session.state.visible():
            folder = place / f"object-{object_id}"
            folder.mkdir()
            for frame in self._session.state.clip.frames:
                if self._session.state.tracks.shown(object_id, frame).state.is_current:
                    write_mask(folder / f"{frame:05d}.png", self._session.views.current_mask(object_id, frame))
            handed.append(job_pb2.FollowedObject(object_id=object_id, masks_path=str(folder)))
        return handed


def read_picture(file: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    """A PNG of a preview: uint8 [H, W, 3] RGB; None where it is not there."""
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR) if file.is_file() else None
    return None if picture is None else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
