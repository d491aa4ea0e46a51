"""What the pipeline tells and asks of whoever runs it: finished windows, progress, a wish to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Ledger(Protocol):
    """The durable record of one job. The jobs package keeps it in its store; tests keep it in memory."""

    @property
    def folder(self) -> Path:
        """The job's own folder; what lies in it survives a restart."""

    def finished(self, stage: str, window: str) -> Path | None:
        """The file of a window that was finished before, once its hash has been checked; None if it must be done.

        Args:
            stage: propagate, inpaint, matte, ...
            window: the window's name, unique within the stage, such as ``object-1/00000-00023``.
        """

    def finish(self, stage: str, window: str, file: Path) -> None:
        """Records a window's file, which is complete and lies in ``folder``, with its hash."""

    def progress(self, stage: str, done_frame_count: int, frame_count: int) -> None:
        """Says how far a stage is.

        Raises:
            JobCancelledError: somebody asked to stop.
        """

    def note(self, sentence: str) -> None:
        """Keeps a sentence worth telling the user; the same one twice is kept once."""
