"""Imports between the packages go one way only, in the order in which `ARCHITECTURE.md` presents them."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "chainrule"

LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "lazy", "naming", "settings", "config", "registry", "seeds", "backend", "version"),
    ("graph",),
    ("ops",),
    ("autodiff",),
    ("compiler",),
    ("runtime",),
    ("random", "utils"),
    ("activations", "initializers", "regularizers", "constraints"),
    ("layers", "losses", "metrics", "optimizers"),
    ("data", "interop"),
    ("models", "training", "callbacks", "saving", "inspect", "plots"),
    ("datasets",),
    ("apps", "__main__"),
)
"""From left to right: a package imports from its own level and from levels before it."""

LEVEL_OF = {name: number for number, names in enumerate(LEVELS) for name in names}

LATE_IMPORTS: dict[tuple[str, str], str] = {}
"""(importing module, imported package): the reason why an arrow may point to the right, within a function only."""

CORE_DEPENDENCIES = {"numpy", "llvmlite", "rich"}
OPTIONAL_DEPENDENCIES = {"PIL", "latex2mathml", "matplotlib"}
"""Extras: imported within the function that needs them."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports_of(path: Path) -> list[tuple[str, bool, int]]:
    """Every imported module, whether a function holds the import, and the line; typing-only imports are left out."""
    found: list[tuple[str, bool, int]] = []

    def visit(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                visit(other, late)
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, late, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            if node.module == "chainrule":
                found.extend((f"chainrule.{alias.name}", late, node.lineno) for alias in node.names)
            else:
                found.append((node.module or "", late, node.lineno))
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text("utf-8")), False)
    return found


def wrong_arrows(path: Path) -> list[str]:
    """The imports of a file that point to the right, as messages."""
    module = module_name(path)
    package = module.split(".")[0]
    if package not in LEVEL_OF:
        return [f"{package} has no place in LEVELS"]
    wrong = []
    for target, late, line in imports_of(path):
        if target.split(".")[0] != "chainrule":
            continue
        if target == "chainrule":
            if package != "apps":
                wrong.append(f"{module}:{line} imports the whole package")
            continue
        other = target.split(".")[1]
        if LEVEL_OF.get(other, -1) > LEVEL_OF[package] and not (late and (module, other) in LATE_IMPORTS):
            wrong.append(f"{module}:{line} imports {target}")
    return wrong


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_arrows_point_left(path: Path) -> None:
    assert wrong_arrows(path) == []


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_the_three_dependencies_are_imported(path: Path) -> None:
    for target, late, line in imports_of(path):
        top = target.split(".")[0]
        if top == "chainrule" or top in sys.stdlib_module_names or top in CORE_DEPENDENCIES:
            continue
        assert top in OPTIONAL_DEPENDENCIES and late, f"{module_name(path)}:{line} imports {target}"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_no_star_imports_and_no_code_from_files(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"line {node.lineno}"
        names = [node.id] if isinstance(node, ast.Name) else []
        assert not {"eval", "exec", "__import__"} & set(names), f"line {getattr(node, 'lineno', 0)}"
    assert not {"pickle", "marshal", "shelve", "dill"} & {target for target, _, _ in imports_of(path)}


def test_exceptions_are_still_needed() -> None:
    used = {
        (module_name(path), target.split(".")[1])
        for path in SOURCES
        for target, late, _ in imports_of(path)
        if late and target.startswith("chainrule.")
    }
    assert set(LATE_IMPORTS) <= used


def test_a_wrong_arrow_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    wrong = tmp_path / "graph" / "ir.py"
    wrong.parent.mkdir()
    wrong.write_text("from chainrule.layers import Dense\n", "utf-8")
    assert wrong_arrows(wrong) == ["graph.ir:1 imports chainrule.layers"]
