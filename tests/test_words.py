"""Plain words: short sentences, mistakes made of clauses that stand alone, and no retired words."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.experiment import Mistake, reads
from engine.plan import check

ROOT = Path(__file__).parent.parent

LONGEST = 20
"""Words from one stop to the next in what a user reads."""

STOP = re.compile(r"[.;:!?…]['\")`]*(?=\s|$)|\n\s*\n|\n\s*[-*#]| · | – | — ")
WORD = re.compile(r"\S*\w\S*")

RETIRED = (
    r"g(?:o|oes|one|oing) on with",
    r"t(?:o|hen|hat|hey|run) go(?:es)? on\b",
    r"\banew\b",
    r"\bparted\b",
    r"\bput(?:s|ting)? (?:back|down)\b",
    r"\bset right\b",
    r"\bta(?:ke|kes|ken|king) (?:down|up)\b",
    r"\bof (?:which|what) (?:nothing|no|none|nobody|one|every)\b",
    r"\b(?:is|are|was) nothing to (?:it|him|them|the run|the model|a run)\b",
    r"(?<![\"/~])\bno ?body\b(?!-)",
    r"\bwhatever (?:becomes|comes)\b",
    r"\bfore(?:tell|tells|told|telling)\b",
    r"\bl(?:ies|ie|ay) (?:on (?:the )?disk|there|beside|in (?:a|the|its) (?:folder|place))\b",
    r"\bwhat (?:is|was|it is|they are|it was|were|it) asked\b",
    r"\bt(?:ell|ells|old) (?:\w+ )?apart\b",
    r"\bculprits?\b",
    r"\bmisfits?\b",
    r"\bonce more\b",
    r"\bhand(?:s|ed)? (?:it |them )?on\b",
    r"\bat once\b",
    r"\bbeside\b",
    r"\bwithout a word\b",
    r"\bsays? nothing\b",
    r"\ba place (?:of|in) (?:a|the) document\b",
    r"\blooks? around\b",
    r"\b(?:by|of) (?:it|them|him|her)sel(?:f|ves)\b",
    r"\bby itself\b",
    r"\bwhat (?:comes|goes) in\b",
    r"\bwhat it gets\b",
    r"\bbears? (?:it|that|no|the|a|none)\b",
    r"\b(?:is|are|that is) no numbers?\b",
    r"\bto (?:its|an|no) end of (?:its|their) own\b",
    r"\blast_words\b|\bby_our_own_hand\b|\bside_by_side\b|\bRanWith\b|\b_obey\b|\b_look_around\b",
)
"""Words and phrases that have a plainer form: CONTRIBUTING.md, "Write"."""

UNFINISHED = (
    "engine/data",
    "tests/engine",
)
"""What is not in plain words yet: a path or its beginning."""


def tracked(*endings: str) -> list[Path]:
    """The files of the project, of these kinds."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in map(Path, listed) if path.suffix in endings and (ROOT / path).is_file()]


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The string literals of a module that are not docstrings, by lines; a replacement field counts as a word."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(getattr(part, "value", "")) if is_text(part) else "X" for part in node.values),
            )
        elif is_text(node) and not {id(node)} & (docstrings | inside):
            yield node.lineno, node.value  # type: ignore[attr-defined]


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def read_by_users(path: Path) -> Iterator[tuple[int, str]]:
    """What a user reads of a file, by lines: its strings, the help of commands, comments of presets, pages."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix == ".py":
        tree = ast.parse(text)
        yield from strings(tree)
        if path.is_relative_to("tui/cli"):
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    yield node.lineno, ast.get_docstring(node) or ""
    elif path.suffix == ".toml":
        yield 1, "\n".join(line[1:].strip() if line.startswith("#") else "" for line in text.splitlines())
    else:
        yield 1, re.sub(r"\s\|\s?", "\n\n", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def long_sentences(path: Path) -> list[str]:
    return [
        f"{path}:{line}: {' '.join(part.split())}"
        for line, text in read_by_users(path)
        for part in STOP.split(text)
        if len(WORD.findall(part)) > LONGEST and "·" not in part  # a formula
    ]


def retired_words(path: Path) -> list[str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [
        f"{path}:{number}: {found[0]!r}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        for found in re.finditer("|".join(RETIRED), line, re.IGNORECASE)
    ]


def finished(path: Path) -> bool:
    return not path.as_posix().startswith(UNFINISHED) and path.name != Path(__file__).name


def pages() -> list[Path]:
    return [path for path in tracked(".py", ".toml", ".md") if not path.is_relative_to("tests")]


def test_no_sentence_that_a_user_reads_is_longer_than_twenty_words() -> None:
    assert [found for path in pages() if finished(path) for found in long_sentences(path)] == []


def test_no_retired_word_is_used() -> None:
    assert [found for path in tracked(".py", ".toml", ".md") if finished(path) for found in retired_words(path)] == []


def test_every_unfinished_room_has_a_file() -> None:
    paths = [path.as_posix() for path in tracked(".py", ".toml", ".md")]
    assert [room for room in UNFINISHED if not any(path.startswith(room) for path in paths)] == []


@pytest.fixture(scope="module")
def mistakes() -> list[Mistake]:
    """Every mistake of the broken documents, and of presets changed at random."""
    mutated = runpy.run_path(str(ROOT / "tests/engine/plan/test_mutations.py"))["mutated"]
    documents = [path.read_text() for path in sorted((ROOT / "tests/engine/plan/broken").glob("*.toml"))]
    found = [mistake for text in [*documents, *map(mutated, range(60))] for mistake in check(reads(text)).mistakes]
    assert len(found) > 100
    return found


def malformed(found: str, expected: str, fix: str) -> bool:
    """Whether the parts of a mistake are not two clauses without an end, and whole sentences of what to do."""
    ends = any(re.search(r"[.,;:!?]$", clause) for clause in (found, expected))
    sentence = not fix or (re.match(r"[^a-z]|[a-z]+[._\d]", fix) and re.search(r"[.?][`'\")]*$", fix))
    return ends or not sentence or ", expected " in found


def test_a_mistake_is_two_clauses_and_a_sentence_of_what_to_do(mistakes: list[Mistake]) -> None:
    assert [str(one) for one in mistakes if malformed(one.found, one.expected, one.fix)] == []


def test_every_mistake_written_in_the_engine_has_that_form() -> None:
    wrong = []
    for path in pages():
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8")) if path.suffix == ".py" else ast.Module([], [])
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) != "Mistake" or len(call.args) < 4:
                continue
            found, expected, fix = (next((text for _, text in strings(one)), "") for one in call.args[1:4])
            whole = all(isinstance(one, ast.JoinedStr | ast.Constant) for one in call.args[1:4])
            if whole and finished(path) and malformed(found, expected, fix):
                wrong.append(f"{path}:{call.lineno}: {found} | {expected} | {fix}")
    assert wrong == []


if __name__ == "__main__":
    shown = sys.argv[1:]
    for name, find in (("long sentences", long_sentences), ("retired words", retired_words)):
        counts: Counter[str] = Counter()
        for path in pages() if find is long_sentences else tracked(".py", ".toml", ".md"):
            if path.name == Path(__file__).name:
                continue
            found = find(path)
            counts["/".join(path.parts[:2])] += len(found)
            if any(path.as_posix().startswith(one) for one in shown):
                print(*found, sep="\n", end="\n" * bool(found))
        print(name, sum(counts.values()), {room: n for room, n in counts.most_common() if n})
