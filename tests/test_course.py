"""The course `docs/understanding/`: its pictures are those that its code draws, its numbers those that its code prints,
each exercise has an answer, and its links arrive."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

COURSE = Path(__file__).resolve().parent.parent / "docs" / "understanding"
CHAPTERS = sorted(COURSE.glob("[0-9][0-9]-*.md"))
APPENDICES = sorted(COURSE.glob("appendix-*.md"))
PAGES = sorted(COURSE.glob("*.md"))
LARGEST = 60_000  # bytes of a picture

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]*)#([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(images/([^)]+)\)")
TERM = re.compile(r"(?<![*\w])\*(?! )([^*\n]+(?:\n[^*\n]+)?)(?<! )\*(?![*\w])")


def load_draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("course_draw", COURSE / "draw.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their module
    spec.loader.exec_module(module)
    return module


draw = load_draw()


def name_of(path: Path) -> str:
    return path.name


def prose(path: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", path.read_text("utf-8"))


def anchors(text: str) -> set[str]:
    """What links to the headings of a page end in, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = 0
        while (name := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(name)
    return found


def broken_links(path: Path) -> list[str]:
    """Links of a page to headings that do not exist."""
    return [
        f"{file}#{anchor}"
        for file, anchor in LINK.findall(prose(path))
        if anchor not in anchors((path.parent / file if file else path).read_text("utf-8"))
    ]


def exercises(text: str) -> list[str]:
    """The numbers of the exercises in the last section of a chapter, none where that is another."""
    heading, _, last = FENCE.sub("", text).rpartition("\n## ")[2].partition("\n")
    return re.findall(r"^(\d+)\. ", last, re.MULTILINE) if heading == "Exercises" else []


def title_of(picture: Path) -> str | None:
    return ElementTree.parse(picture).getroot().findtext("{http://www.w3.org/2000/svg}title")


def test_there_are_eight_chapters():
    assert [path.name[:2] for path in CHAPTERS] == [f"{number:02}" for number in range(1, 9)]
    contents = (COURSE / "README.md").read_text("utf-8")
    assert not [path.name for path in PAGES if path.name != "README.md" and f"]({path.name})" not in contents]


@pytest.mark.parametrize("path", [*CHAPTERS, *APPENDICES], ids=name_of)
def test_a_page_prints_and_draws_what_it_shows(path: Path, tmp_path: Path):
    wrong = [
        f"line {block.line} prints\n{printed}not\n{block.shown}"
        for block, printed in draw.run_page(path, tmp_path)
        if block.shown is not None and not draw.is_same(printed, block.shown)
    ]
    assert not wrong, "\n".join(wrong)
    drawn = {picture.name: title_of(picture) for picture in tmp_path.glob("*.svg")}
    kept = COURSE / "images"
    assert drawn == {name: title_of(kept / name) for _, name in PICTURE.findall(prose(path)) if (kept / name).exists()}


@pytest.mark.parametrize("path", CHAPTERS, ids=name_of)
def test_pictures_are_there_and_small(path: Path):
    number = path.name[:2]
    shown = PICTURE.findall(prose(path))
    assert shown and all(words for words, _ in shown)
    kept = {picture.name: picture.stat().st_size for picture in (COURSE / "images").glob(f"{number}-*")}
    assert sorted(kept) == sorted(name for _, name in shown), f"run python docs/understanding/draw.py {int(number)}"
    assert not [name for name, size in kept.items() if size > LARGEST]


@pytest.mark.parametrize("path", CHAPTERS, ids=name_of)
def test_each_exercise_has_its_answer(path: Path):
    chapter = int(path.name[:2])
    numbers = exercises(path.read_text("utf-8"))
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)] and len(numbers) >= 3
    answered = [
        number
        for appendix in APPENDICES
        for number in re.findall(rf"^### {chapter}\.(\d+) .", prose(appendix), re.MULTILINE)
    ]
    assert answered == numbers


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_to_headings_arrive(path: Path):
    assert not broken_links(path)


def index_entries() -> list[str]:
    return re.findall(r"^\* (.+)$", (COURSE / "index.md").read_text("utf-8"), re.MULTILINE)


def missing_terms(path: Path, entries: list[str]) -> list[str]:
    """Terms in italics that no entry for this chapter has; other endings (`explode`, `exploding`) are the same word."""
    here = [entry.casefold() for entry in entries if f"]({path.name}" in entry]
    terms = [" ".join(term.split()) for term in TERM.findall(prose(path))]
    stems = {term: [word[:5] for word in re.findall(r"\w+", term.casefold())] for term in terms}
    return [term for term in terms if not any(all(stem in entry for stem in stems[term]) for entry in here)]


@pytest.mark.parametrize("path", CHAPTERS, ids=name_of)
def test_each_term_is_in_the_index(path: Path):
    assert TERM.findall(prose(path))
    assert not missing_terms(path, index_entries())


def test_the_index_is_in_order():
    names = [re.sub(r"\W", "", entry.partition(": [")[0]).casefold() for entry in index_entries()]
    assert names == sorted(names)


# -- the checks themselves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("loss 0.52", "loss 0.67"),
        ("loss 0.52", "error 0.52"),
        ("[1, 2]", "[1, 2, 3]"),
        ("1.0e-05", "1.0e-04"),
        ("−3.5", "3.5"),
        ("88%", "98%"),
    ],
)
def test_other_output_is_seen(printed: str, shown: str):
    assert not draw.is_same(printed, shown)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [("a  0.52\n", "a 0.51\n"), ("1.02e-05", "1.0e-05"), ("1,024 pieces", "1,024 pieces"), ("[ 8. -1.]", "[8. -1.]")],
)
def test_the_last_digit_may_differ(printed: str, shown: str):
    assert draw.is_same(printed, shown)


def test_a_block_and_what_is_beneath_it_are_read():
    page = "# T\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n```python\nx = 2\n```\n\nwords\n\n```text\n3\n```\n"
    first, second = draw.read_blocks(page)
    assert (first.line, first.source, first.shown) == (4, "print(1)\n", "1\n")
    assert (second.line, second.shown) == (12, None)


def test_a_broken_link_is_seen(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# One, two\n\n## `Three` (3)\n\n[a](#one-two) [b](page.md#three-3) [c](#four)\n", "utf-8")
    assert broken_links(page) == ["#four"]


def test_a_chapter_that_ends_otherwise_has_no_exercises():
    assert exercises("# T\n\n## Exercises\n\n1. One.\n2. Two.\n") == ["1", "2"]
    assert exercises("# T\n\n## Exercises\n\n1. One.\n\n## More\n") == []


def test_a_missing_term_is_seen(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# T\n\nThe *loss function* and what *explodes*, **not this**, 2 * 3 * 4.\n", "utf-8")
    assert missing_terms(page, ["loss function: [1](page.md#t)"]) == ["explodes"]
    assert missing_terms(page, ["loss function: [1](other.md#t)"]) == ["loss function", "explodes"]
    assert not missing_terms(page, ["exploding gradients: [1](page.md#t)", "loss function: [1](page.md#t)"])


def test_drawing_replaces_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(draw, "IMAGES", tmp_path / "images")
    draw.IMAGES.mkdir()
    for name in ("03-old.svg", "04-other.svg"):
        (draw.IMAGES / name).write_text("<svg/>", "utf-8")
    page = tmp_path / "03-page.md"
    source = 'from pathlib import Path\nPath("03-new.svg").write_text("<svg/>")\nprint(1)\n'
    page.write_text(f"```python\n{source}```\n\n```text\n2 words\n```\n", "utf-8")
    assert draw.draw(page) == 1
    assert "03-page.md:2 prints" in capsys.readouterr().out
    assert sorted(picture.name for picture in draw.IMAGES.iterdir()) == ["03-new.svg", "04-other.svg"]
    with pytest.raises(SystemExit):
        draw.main(["9"])
