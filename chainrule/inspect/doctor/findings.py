"""What the doctor says: findings, and all of them together as text and as HTML.

In: values of the rules. Out: text that fits 80 columns, and HTML in which everything is escaped.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.inspect.markup import Markup, element

SEVERITIES = ("error", "warning", "note")
"""From what will fail or cannot learn, over what is very probably a mistake, to what is worth a look."""

WIDTH = 80


@dataclass(frozen=True)
class Finding:
    """Something wrong with a model or its data.

    Args:
        rule: what was broken, in a few words: ``double-softmax``.
        severity: one of `SEVERITIES`.
        where: the layer, the column, the argument.
        problem: one sentence.
        evidence: the numbers that show it.
        fix: what to do.

    Example:
        >>> print(Finding("constant-columns", "warning", "x, column 3", "it never changes", "always 7", "drop it"))
        warning: x, column 3: it never changes
          seen  always 7
          fix   drop it
          rule  constant-columns
    """

    rule: str
    severity: str
    where: str
    problem: str
    evidence: str = ""
    fix: str = ""

    def __str__(self) -> str:
        head = wrap(f"{self.severity}: {self.where}: {self.problem}", "", "  ")
        rows = [("seen", self.evidence), ("fix", self.fix), ("rule", self.rule)]
        return "\n".join([head, *(wrap(text, f"  {label:<4}  ", " " * 8) for label, text in rows if text)])


@dataclass(frozen=True)
class Diagnosis:
    """All findings, the worst first; empty, and false, where all is well.

    Args:
        findings: see `Finding`.
        rows, sampled: how many rows there are, and how many of them were passed through the network.
        checked: the kinds of mistakes that were looked for.
        unchecked: those that were not, each with the reason.

    Example:
        >>> print(Diagnosis((), 100, 100, ("the range of labels", "the learning rate"), ()))
        nothing found
          100 of 100 rows passed through the network
          2 kinds of mistakes were looked for (diagnosis.checked lists them)
    """

    findings: tuple[Finding, ...]
    rows: int
    sampled: int
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __bool__(self) -> bool:
        return bool(self.findings)

    @property
    def headline(self) -> str:
        """How many findings there are of each severity."""
        counts = [(sum(finding.severity == severity for finding in self), severity) for severity in SEVERITIES]
        words = [f"{count} {severity}{'s' if count > 1 else ''}" for count, severity in counts if count]
        return ", ".join(words) or "nothing found"

    @property
    def remarks(self) -> tuple[str, ...]:
        """How many kinds of mistakes were looked for, where nothing was found, and how many were not."""
        lines = []
        if self.sampled:
            lines.append(f"{self.sampled:,} of {self.rows:,} rows passed through the network")
        if self.checked and not self.findings:
            count = len(self.checked)
            kinds = "1 kind of mistake was" if count == 1 else f"{count} kinds of mistakes were"
            lines.append(f"{kinds} looked for (diagnosis.checked lists them)")
        waiting = sum(text.endswith(" fixed") for text in self.unchecked)
        if waiting:
            checks = "1 further check waits" if waiting == 1 else f"{waiting} further checks wait"
            these = "this is" if len(self.findings) == 1 else "these are"
            lines.append(f"{checks} until {these} fixed (diagnosis.unchecked lists them)")
        if len(self.unchecked) > waiting:
            count = len(self.unchecked) - waiting
            lines.append(f"{count} checks were not possible (diagnosis.unchecked gives the reason)")
        return tuple(lines)

    def __str__(self) -> str:
        remarks = "\n".join(wrap(line, "  ", "    ") for line in self.remarks)
        if not self.findings:
            return f"{self.headline}\n{remarks}"
        return "\n\n".join([self.headline, *map(str, self.findings), remarks])

    def _repr_html_(self) -> str:
        items = [
            element(
                "li",
                element("strong", finding.severity),
                f": {finding.where}: {finding.problem}",
                element(
                    "dl",
                    describe("seen", finding.evidence),
                    describe("fix", finding.fix),
                    describe("rule", finding.rule),
                ),
            )
            for finding in self
        ]
        remarks = [element("p", line) for line in self.remarks]
        looks = [fold("looked for", self.checked), fold("not looked for", self.unchecked)]
        return str(element("section", element("p", self.headline), element("ul", items), remarks, looks))


def describe(label: str, text: str) -> list[Markup]:
    """A term and its description; nothing where there is none."""
    return [element("dt", label), element("dd", text)] if text else []


def fold(label: str, texts: tuple[str, ...]) -> Markup | None:
    """A folded list; nothing where there is nothing in it."""
    if not texts:
        return None
    items = [element("li", text) for text in texts]
    return element("details", element("summary", f"{label}: {len(texts)}"), element("ul", items))


def wrap(text: str, first: str, rest: str) -> str:
    """Text in lines of at most 80 characters; what stands before the first line, and before the others."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


__all__ = ["SEVERITIES", "Diagnosis", "Finding"]
