from __future__ import annotations

import pytest
from cleanplate_server.errors import PromptError
from cleanplate_server.models.naming.coco import ENTRIES, GROUPS, TO_SIMPLIFIED, TO_TRADITIONAL
from cleanplate_server.models.naming.words import read_words, to_english


@pytest.mark.parametrize(
    ("text", "name", "colours"),
    [
        ("dog", "dog", ()),
        ("  The Dogs ", "dog", ()),
        ("automobile", "car", ()),
        ("bike", "bicycle", ()),
        ("motorbikes", "motorcycle", ()),
        ("TV", "tv", ()),
        ("mobile phone", "cell phone", ()),
        ("people", "person", ()),
        ("pedestrians", "person", ()),
        ("knives", "knife", ()),
        ("buses", "bus", ()),
        ("two red cars", "car", ("red",)),
        ("the black and white dog", "dog", ("black", "white")),
        ("orange", "orange", ()),
        ("an orange car", "car", ("orange",)),
        ("hot dogs", "hot dog", ()),
        ("hot-dog", "hot dog", ()),
        ("三辆车", "car", ()),
        ("黑和白的狗", "dog", ("black", "white")),
        ("人", "person", ()),
        ("行人", "person", ()),
        ("狗", "dog", ()),
        ("手机", "cell phone", ()),
        ("手機", "cell phone", ()),
        ("汽车", "car", ()),
        ("红色汽车", "car", ("red",)),
        ("紅色的汽車", "car", ("red",)),
        ("一辆白色的车", "car", ("white",)),
        ("两只黑狗", "dog", ("black",)),
        ("橙色的橙子", "orange", ("orange",)),
        ("\uff44\uff4f\uff47", "dog", ()),
    ],
)
def test_words_mean_a_name_and_its_colours(text: str, name: str, colours: tuple[str, ...]) -> None:
    words = read_words(text)
    assert (words.names, words.colours, words.left_out, words.remark) == ((name,), colours, "", "")


@pytest.mark.parametrize(
    ("text", "label"),
    [("automobile", "car"), ("车", "汽车"), ("車", "汽車"), ("手機", "手機"), ("telephones", "cell phone")],
)
def test_label_is_in_the_language_and_script_of_the_words(text: str, label: str) -> None:
    words = read_words(text)
    assert words.label(words.names[0]) == label


@pytest.mark.parametrize(
    ("text", "first"), [("vehicles", "car"), ("动物", "bird"), ("動物", "bird"), ("fruit", "banana")]
)
def test_word_for_several_names_means_each_of_them(text: str, first: str) -> None:
    names = read_words(text).names
    assert names[0] == first
    assert len(names) > 2


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("sleeping dog", "dog", "no word for 'sleeping'"),
        ("red car on the left", "car", "no word for 'on left'"),
        ("戴帽子的人", "person", "no word for '戴帽子'"),
        ("taxi", "car", "'car' for 'taxi'"),
        ("黑天鹅", "bird", "'鸟' for '天鹅'"),
        ("a person in red", "person", "no word for 'in red'"),
    ],
)
def test_what_the_list_has_no_word_for_is_said(text: str, name: str, said: str) -> None:
    words = read_words(text)
    assert words.names == (name,)
    assert said in words.remark
    assert "name-finder=grounding-dino" in words.remark


@pytest.mark.parametrize(
    ("text", "near"),
    [("dgo", "dog"), ("bycicle", "bicycle"), ("umbrela", "umbrella"), ("沙发垫", "沙发"), ("red caar", "car")],
)
def test_unknown_name_is_refused_with_the_nearest_and_the_remedy(text: str, near: str) -> None:
    with pytest.raises(PromptError, match=rf"near it are .*{near}.*--engine name-finder=grounding-dino") as refused:
        read_words(text)
    assert refused.value.reason == "UNKNOWN_NAME"
    assert near in refused.value.metadata["near"]


def test_unknown_name_that_is_near_nothing_is_refused_with_examples() -> None:
    with pytest.raises(PromptError, match="it has 80 such as person"):
        read_words("xylophonist")


@pytest.mark.parametrize(
    ("text", "language"), [("собака", "Cyrillic"), ("いぬ", "Hiragana"), ("كلب", "Arabic"), ("개", "Hangul")]
)
def test_unknown_language_is_refused_by_its_letters(text: str, language: str) -> None:
    for read in (read_words, to_english):
        with pytest.raises(PromptError, match=f"{language} letters, and names are known in English and Chinese"):
            read(text)


@pytest.mark.parametrize("text", ["", "  ", "42", "?!", "#2"])
def test_text_without_letters_is_no_name(text: str) -> None:
    for read in (read_words, to_english):
        with pytest.raises(PromptError, match="is no name"):
            read(text)


@pytest.mark.parametrize("text", ["dog and cat", "dogs, cats", "red car & blue bus", "狗和猫", "人、车", "人與車"])
def test_several_names_at_once_are_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(PromptError, match="names several things; name each by itself"):
        read_words(text)


def test_endless_name_is_refused() -> None:
    with pytest.raises(PromptError, match="too long"):
        read_words("dog " * 100)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("The Old Lamp", ("the old lamp",)),
        ("红色汽车", ("red car",)),
        ("手機", ("cell phone",)),
        ("水果", ("banana", "apple", "orange")),
    ],
)
def test_words_for_an_english_engine_are_as_they_are_or_put_into_english(text: str, phrases: tuple[str, ...]) -> None:
    assert to_english(text) == phrases


@pytest.mark.parametrize("text", ["戴帽子的人", "出租车"])
def test_chinese_that_cannot_be_put_into_english_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match="cannot be put into English here"):
        to_english(text)


def test_no_term_means_two_things_and_every_one_is_found() -> None:
    english = [term for entry in ENTRIES for term in (entry.name, *entry.synonyms)] + [group.name for group in GROUPS]
    chinese = [term for entry in (*ENTRIES, *GROUPS) for term in entry.chinese]
    assert len(ENTRIES) == 80
    assert len(set(english)) == len(english)
    assert len(set(chinese)) == len(chinese)
    for entry in ENTRIES:
        for term in (entry.name, *entry.synonyms, *entry.chinese):
            assert entry.name in read_words(term).names
            assert entry.name in read_words(term.translate(TO_TRADITIONAL)).names


def test_traditional_characters_go_back_to_the_simplified_ones() -> None:
    for entry in ENTRIES:
        for term in entry.chinese:
            assert term.translate(TO_TRADITIONAL).translate(TO_SIMPLIFIED) == term
