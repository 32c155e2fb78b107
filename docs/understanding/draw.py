"""Draw the pictures of the course: run the blocks of its chapters, and keep what they draw.

    python docs/understanding/draw.py          every chapter
    python docs/understanding/draw.py 3 7      these

In: chapters, `NN-name.md`. Out: `images/NN-name.svg`, in place of those that were there. Each chapter runs in a
temporary folder. Where a block prints something else than the page shows beneath it, both are printed, and the exit
status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COURSE = Path(__file__).resolve().parent
IMAGES = COURSE / "images"
CHAPTERS = sorted(COURSE.glob("[0-9][0-9]-*.md"))

_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?")
_SHARE = 0.05  # by which a number of another machine may differ, and by one in its last place


@dataclass(frozen=True)
class Block:
    """A block of code on a page.

    Args:
        line: of its first line, from 1.
        source: Python.
        shown: the text beneath it, of what it prints; None where there is none.
    """

    line: int
    source: str
    shown: str | None


def read_blocks(page: str) -> list[Block]:
    """The blocks of Python in a page of Markdown, in order."""
    return [Block(page.count("\n", 0, match.start(1)) + 1, match[1], match[2]) for match in _BLOCK.finditer(page)]


def run_page(path: Path, folder: Path) -> list[tuple[Block, str]]:
    """Run the blocks of a page in order, in one namespace and in this folder; each with what it printed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names: dict[str, object] = {"__name__": "__main__"}
    printed = []
    with contextlib.chdir(folder):
        for block in read_blocks(path.read_text("utf-8")):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * (block.line - 1) + block.source, str(path), "exec"), names)
            pyplot.close("all")
            printed.append((block, out.getvalue()))
    return printed


def is_same(printed: str, shown: str) -> bool:
    """Whether a text says the same: the same words, and numbers that differ by no more than another machine's do.

    Example:
        >>> is_same("loss 0.52 after 3 steps", "loss 0.51  after 3 steps")
        True
        >>> is_same("loss 0.62 after 3 steps", "loss 0.51 after 3 steps")
        False
    """
    words, numbers = _split(printed)
    shown_words, shown_numbers = _split(shown)
    return words == shown_words and all(map(_is_near, numbers, shown_numbers))


def _split(text: str) -> tuple[list[str], list[str]]:
    """What stands between the numbers, without spaces, and the numbers."""
    return ["".join(part.split()) for part in _NUMBER.split(text)], _NUMBER.findall(text)


def _is_near(first: str, second: str) -> bool:
    values = [float(text.replace("−", "-").replace(",", "")) for text in (first, second)]
    digits, _, exponent = second.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return abs(values[0] - values[1]) <= _SHARE * max(map(abs, values)) + 1.001 * unit


def draw(path: Path) -> int:
    """Draw the pictures of a chapter; the number of blocks that print something else than the page shows."""
    with tempfile.TemporaryDirectory() as name:
        wrong = 0
        for block, printed in run_page(path, Path(name)):
            if block.shown is not None and not is_same(printed, block.shown):
                wrong += 1
                print(f"{path.name}:{block.line} prints\n{printed}where the page shows\n{block.shown}")
        number = path.name[:2]
        IMAGES.mkdir(exist_ok=True)
        for old in IMAGES.glob(f"{number}-*.svg"):
            old.unlink()
        for new in sorted(Path(name).glob("*.svg")):
            shutil.copyfile(new, IMAGES / new.name)
            print(f"{path.name}: {new.name}, {new.stat().st_size / 1000:.0f} kB")
    return wrong


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("chapter", type=int, nargs="*", help="numbers of chapters; all by default")
    chosen = parser.parse_args(arguments).chapter
    known = {int(path.name[:2]): path for path in CHAPTERS}
    missing = [number for number in chosen if number not in known]
    if missing:
        parser.error(f"there is no chapter {missing[0]}; there are {', '.join(map(str, known))}")
    wrong = [draw(known[number]) for number in chosen or known]
    return int(any(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
