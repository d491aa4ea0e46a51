"""The timeline file that a command writes: checked and tried before the work, written after it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanplate_plugin.documents.otio_file import FCP7, OtioDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Document, SourceMedia

from cleanplate_server.errors import OutputError


@dataclass(frozen=True)
class EditTarget:
    """Where an edit is written.

    Args:
        path: absolute; its ending says the kind of file.
        overwrite: replace what is there.
        hosts: editing programs for which a flat file is written beside it.
    """

    path: Path
    overwrite: bool = False
    hosts: tuple[str, ...] = ()

    @property
    def flat_paths(self) -> dict[str, Path]:
        """By host: ``edit.otio`` has ``edit.resolve.otio`` beside it, and ``edit.fcp7.xml`` for FCP7 XML."""
        endings = {FCP7: ".xml"}
        return {
            host: self.path.with_name(f"{self.path.stem}.{host}{endings.get(host, '.otio')}") for host in self.hosts
        }

    def check(self) -> None:
        """Refuses a target that cannot be written.

        Raises:
            OutputError: a file is there, or there is no folder to write to.
        """
        for path in (self.path, *self.flat_paths.values()):
            if not self.overwrite and os.path.lexists(path):
                raise OutputError(f"{path} exists; add --overwrite to replace it, or choose another name with -o")
        folder = self.path.parent
        if not folder.is_dir():
            raise OutputError(f"the folder {folder} of {self.path.name} does not exist; make it, or choose another")
        if self.path.is_dir():
            raise OutputError(f"{self.path} is a folder; give the name of a timeline file with -o")

    def rehearse(self, document: Document, files: Mapping[Path, SourceMedia]) -> None:
        """Writes the document where nobody looks and takes it away again, so that hours of work do not end in a no.

        Args:
            document: as it will be.
            files: what is known of its media, for flat files.

        Raises:
            TimelineError: it cannot be written as this kind of file.
            OutputError: the folder cannot be written.
        """
        try:
            with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".cleanplate-") as scratch:
                self._save(document, Path(scratch), files)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, document: Document, files: Mapping[Path, SourceMedia]) -> list[Path]:
        """Writes the document, and the flat ones first, so that the edit itself is the last word.

        Args:
            document: as it now is.
            files: as for ``rehearse``.

        Returns:
            What was written.

        Raises:
            TimelineError, OutputError: see ``check`` and ``rehearse``.
        """
        self.check()
        try:
            return self._save(document, self.path.parent, files)
        except OSError as error:
            raise self._unwritable(error) from error

    def _save(self, document: Document, folder: Path, files: Mapping[Path, SourceMedia]) -> list[Path]:
        flat = {host: folder / path.name for host, path in self.flat_paths.items()}
        for host, path in flat.items():
            if not isinstance(document, OtioDocument):
                raise TimelineError(
                    f"--for {host} is made from OpenTimelineIO, which {self.path.name} is not;"
                    " give the edit as .otio, or leave --for out and bring the edit itself into the program"
                )
            document.export(path, host, files=files)
        document.save(folder / self.path.name)
        return [*flat.values(), folder / self.path.name]

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written ({error.strerror}); choose a folder with -o that is yours to write"
        )
