"""What a prompt means on an open clip: names looked for, then a segmenter asked."""

from __future__ import annotations

from cleanplate_server.models.protocols import Candidate, Prompt
from cleanplate_server.service.clips import Segmenters
from cleanplate_server.service.finders import NameFinders
from cleanplate_server.stages.naming import fitting_hits, hit_prompt, not_found, taken_hits
from cleanplate_server.stages.segment import ClipSession, check_prompt


class Answering:
    """Answers prompts.

    Args:
        segmenters: by name.
        finders: for prompts with a name.
    """

    def __init__(self, segmenters: Segmenters, finders: NameFinders) -> None:
        self._segmenters = segmenters
        self._finders = finders

    def __call__(self, clip: ClipSession, prompt: Prompt, engine: str) -> tuple[tuple[Candidate, ...], str]:
        """Candidates, best first, and the segmenter that gave them.

        Raises:
            InputError: see ``stages.segment.check_prompt``; or a name that is not found.
            NotFoundError, EngineError: the engine is not known, or cannot run.
        """
        self._segmenters(engine)  # one that cannot run is refused before the frame is looked at
        asked = self._named(clip, prompt) if prompt.name else prompt
        candidates = clip.segment(asked, engine)
        return candidates, self._segmenters(engine).info.name  # a lighter one may have taken over

    def _named(self, clip: ClipSession, prompt: Prompt) -> Prompt:
        """A prompt with a name as one for the hit that it asks for, the best one when it asks for all."""
        check_prompt(prompt, clip.media)
        answer = clip.find(prompt.frame, prompt.name, self._finders(""))
        hits = fitting_hits(answer, prompt)
        if not hits:
            raise not_found(prompt.name, [prompt.frame], clip.media.path.name, answer.remark)
        _, hit = taken_hits(hits, prompt)[0]
        return hit_prompt(hit, prompt, frame=prompt.frame, object_id=prompt.object_id)
