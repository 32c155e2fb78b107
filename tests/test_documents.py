"""Every piece of code that a reader meets runs: the blocks of the documents and the examples of the docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule
from chainrule.apps import cli

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
NAMED_FILE = re.compile(r"`((?:chainrule|docs|tests|benchmarks)/[\w/.]+)`")
MODULES = sorted(module.name for module in pkgutil.walk_packages(chainrule.__path__, "chainrule."))


def blocks(path: Path, *languages: str) -> list[tuple[int, str]]:
    """Line number and text of the fenced blocks in these languages."""
    text = path.read_text("utf-8")
    return [
        (text.count("\n", 0, match.start(2)) + 1, match[2]) for match in BLOCK.finditer(text) if match[1] in languages
    ]


def with_blocks(*languages: str) -> list[Path]:
    return [path for path in DOCUMENTS if blocks(path, *languages)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(autouse=True)
def figures_closed() -> Iterator[None]:
    """A reader runs one page; here pyplot would keep the figures of all of them open, and warn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("path", with_blocks("python"), ids=name_of)
def test_python_blocks_run_in_order(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, source in blocks(path, "python"):
        exec(compile("\n" * (line - 1) + source, str(path), "exec"), names)


@pytest.mark.parametrize("path", with_blocks("sh"), ids=name_of)
def test_shell_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`chainrule` commands run in this process; of `make`, the target must exist."""
    monkeypatch.chdir(tmp_path)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for _, source in blocks(path, "sh"):
        for line in source.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["chainrule"]:
                assert cli.main(words[1:]) == 0, line
            elif words[:1] == ["make"]:
                assert words[1] in targets, line
            else:
                assert not words or words[0] in ("git", "cd", "pip"), f"nothing tests {line!r}"


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_links_and_named_files_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    missing = [link for link in LINK.findall(BLOCK.sub("", text)) if not (path.parent / link).exists()]
    missing += [name for name in NAMED_FILE.findall(text) if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name in MODULES if not (importlib.import_module(name).__doc__ or "").strip()]
    assert not silent


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n\n```python\nassert False\n```\n", "utf-8")
    ((line, source),) = blocks(page, "python")
    assert line == 4
    with pytest.raises(AssertionError):
        exec(source, {})
