"""What a person's words mean by a closed list of names: the thing, its colour, and what the list has no word for."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

from cleanplate_server.errors import PromptError
from cleanplate_server.models.naming import colours
from cleanplate_server.models.naming.coco import ENTRIES, GROUPS, TO_SIMPLIFIED, TO_TRADITIONAL

Script = Literal["latin", "simplified", "traditional"]

_OPEN_REMEDY = "--engine name-finder=grounding-dino takes any English words"
_LENGTH_LIMIT = 200
_ARTICLES = frozenset(
    {"a", "an", "the", "all", "every", "each", "any", "some", "both", "this", "that", "these", "those", "and"}
    | {"my", "our", "his", "her", "their", "one", "two", "three", "four", "five"}
)
_CUTS = frozenset(
    {"on", "in", "with", "at", "near", "behind", "beside", "by", "under", "over", "from", "to", "of", "who", "which"}
    | {"wearing", "holding"}
)
"""What follows one of these says more of the thing, and is not the thing."""
_IRREGULAR = {
    "men": "man", "women": "woman", "people": "person", "persons": "person", "children": "child", "geese": "goose",
    "mice": "mouse", "oxen": "ox", "calves": "calf", "ladies": "lady", "passersby": "passerby",
}  # fmt: skip
_COUNTED = re.compile(
    r"^(?:(?:所有|全部|这|那|每|各|几|数|[一二两三四五六七八九十0-9])+(?:辆|只|个|些|位|名|条|匹|头|架|艘|把|台|部|张|件|群)?的?)"
)
"""What is said before a Chinese noun to count it or to point at it."""
_JOINTS = re.compile(r"\b(?:and|or)\b|[,;&+、和与及]")
"""What stands between two names."""
_COLOUR = re.compile(
    f"^(?:深|浅|亮|暗|大|小)?({'|'.join(sorted(colours.CHINESE, key=len, reverse=True))})色?(?:和|与|、)?的?"
)


@dataclass(frozen=True)
class Words:
    """What words mean.

    Args:
        text: as they were written.
        names: of COCO, one or, for a group, several.
        colours: basic ones that were named; any of them will do.
        left_out: what the list has no word for; empty when it has all.
        narrower: the noun, where it means less than the names do.
        script: how they were written.
    """

    text: str
    names: tuple[str, ...]
    colours: tuple[str, ...] = ()
    left_out: str = ""
    narrower: str = ""
    script: Script = "latin"

    def label(self, name: str) -> str:
        """A name in the language of the words."""
        if self.script == "latin":
            return name
        chinese = next(entry.chinese[0] for entry in ENTRIES if entry.name == name)
        return chinese.translate(TO_TRADITIONAL) if self.script == "traditional" else chinese

    @property
    def remark(self) -> str:
        """One sentence on what of the words was not understood; empty when all was."""
        said = []
        if self.left_out:
            said.append(f"no word for '{self.left_out}'")
        if self.narrower:
            said.append(f"'{self.label(self.names[0])}' for '{self.narrower}'")
        if not said:
            return ""
        return (
            f"the list of names has {' and '.join(said)}, so what is found may be more than '{self.text}';"
            f" {_OPEN_REMEDY}"
        )


def read_words(text: str) -> Words:
    """Reads words by the closed list.

    Raises:
        PromptError: no words, several names, a language that is not known, or a name that is not in the list; the
            nearest are told.
    """
    plain = _plain(text)
    script = _script(plain)
    _refuse_several(text.strip(), plain.lower().translate(TO_SIMPLIFIED))
    if script == "latin":
        return _read_english(text.strip(), plain.lower())
    return _read_chinese(text.strip(), plain.translate(TO_SIMPLIFIED), script)


def to_english(text: str) -> tuple[str, ...]:
    """Phrases as an engine takes them that reads English alone: English as it is, Chinese by the list.

    Returns:
        In small letters; several for a Chinese word that means several names.

    Raises:
        PromptError: no words, a language that is not known, or Chinese that the list cannot put into English.
    """
    plain = _plain(text)
    if _script(plain) == "latin":
        return (plain.lower(),)
    words = read_words(text)
    strange = words.left_out or words.narrower
    if strange:
        raise PromptError(
            f"'{strange}' in '{words.text}' cannot be put into English here, which is what the engine reads;"
            " leave it out or write the name in English"
        )
    return tuple(" ".join([*words.colours, name]) for name in words.names)


def _plain(text: str) -> str:
    plain = " ".join(unicodedata.normalize("NFKC", text).replace("-", " ").split())
    if not any(char.isalpha() for char in plain):
        raise PromptError(f"{text!r} is no name; give words such as dog, red car or 人")
    if len(plain) > _LENGTH_LIMIT:
        raise PromptError(f"a name of {len(plain)} characters is too long; give a few words, such as red car")
    return plain


def _script(plain: str) -> Script:
    """How words are written.

    Raises:
        PromptError: in letters of a language that no list has.
    """
    kinds = [unicodedata.name(char, "UNKNOWN").split()[0] for char in plain if char.isalpha()]
    strange = next((kind for kind in kinds if kind not in ("LATIN", "CJK")), "")
    if strange:
        raise PromptError(
            f"'{plain}' is written in {strange.capitalize()} letters, and names are known in English and Chinese;"
            " write it in one of them, such as person or 人, or click on the object"
        )
    if "CJK" not in kinds:
        return "latin"
    return "simplified" if plain == plain.translate(TO_SIMPLIFIED) else "traditional"


def _refuse_several(text: str, plain: str) -> None:
    """Refuses several names at once, whose colours and hits could not be told apart; `black and white dog` is one."""
    parts = [part.split() for part in _JOINTS.split(plain)]
    if sum(bool(part and (_singular(part[-1]) or part[-1] in _chinese_table())) for part in parts) > 1:
        raise PromptError(f"'{text}' names several things; name each by itself, such as --name dog --name cat")


def _read_english(text: str, plain: str) -> Words:
    tokens = [token for token in re.split(r"[^\w'-]+", plain) if token and token not in _ARTICLES]
    cut = next((place for place, token in enumerate(tokens) if place and token in _CUTS), len(tokens))
    head, rest = tokens[:cut], tokens[cut:]
    for start in range(len(head)):
        term = _singular(" ".join(head[start:]))
        if term:
            named = tuple(dict.fromkeys(colours.ENGLISH[token] for token in head[:start] if token in colours.ENGLISH))
            left = [token for token in head[:start] if token not in colours.ENGLISH] + rest
            return Words(text, _english_table()[term], named, " ".join(left), _narrower(term))
    raise _unknown(text, head[-1] if head else plain, tuple(_english_table()))


def _singular(phrase: str) -> str:
    """The term of the list that an English phrase is, singular or plural; empty when it is none."""
    table = _english_table()
    before, _, last = phrase.rpartition(" ")
    singles = [last, _IRREGULAR.get(last, last)]
    for ending, instead in (("ies", "y"), ("ves", "fe"), ("es", ""), ("s", "")):
        if last.endswith(ending):
            singles.append(last.removesuffix(ending) + instead)
    return next((term for single in singles if (term := f"{before} {single}".strip()) in table), "")


def _narrower(term: str) -> str:
    return term if any(term in entry.narrower for entry in ENTRIES) else ""


def _read_chinese(text: str, plain: str, script: Script) -> Words:
    plain = plain.replace(" ", "")
    table = _chinese_table()
    for start in range(len(plain)):
        names = table.get(plain[start:])
        if names:
            named, left = _read_before(plain[:start])
            term = _narrower(plain[start:])
            if script == "traditional":
                left, term = left.translate(TO_TRADITIONAL), term.translate(TO_TRADITIONAL)
            return Words(text, names, named, left, term, script)
    terms = [term.translate(TO_TRADITIONAL) if script == "traditional" else term for term in table]
    raise _unknown(text, text, tuple(terms))


def _read_before(said: str) -> tuple[tuple[str, ...], str]:
    """Colours in what is said before a Chinese noun, and what remains of it."""
    said = _COUNTED.sub("", said)
    named: list[str] = []
    while match := _COLOUR.match(said):
        named.append(colours.CHINESE[match[1]])
        said = said[match.end() :]
    return tuple(dict.fromkeys(named)), said.removesuffix("的")


@cache
def _english_table() -> dict[str, tuple[str, ...]]:
    table = {term: (entry.name,) for entry in ENTRIES for term in (entry.name, *entry.synonyms)}
    return table | {group.name: group.synonyms for group in GROUPS}


@cache
def _chinese_table() -> dict[str, tuple[str, ...]]:
    table = {term: (entry.name,) for entry in ENTRIES for term in entry.chinese}
    return table | {term: group.synonyms for group in GROUPS for term in group.chinese}


def _unknown(text: str, head: str, terms: tuple[str, ...]) -> PromptError:
    near = difflib.get_close_matches(head, terms, n=3, cutoff=0.6 if head.isascii() else 0.4)
    known = f"near it are {', '.join(near)}" if near else f"it has 80 such as {', '.join(terms[:1] + terms[20:23])}"
    return PromptError(
        f"'{text}' is not in the list of names; {known}, and {_OPEN_REMEDY}",
        reason="UNKNOWN_NAME",
        metadata={"name": text, "near": ", ".join(near)},
    )
