"""Mutants: a module with one small mistake in it, which a test should notice.

The mistakes: a comparison turned round or moved by one, ``and`` for ``or``, a condition negated, ``+`` for ``-``, a
number one higher, a truth turned round, a statement left out, a value not returned, an entry missing in a row.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
CALCULATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip
UNTOUCHED = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
"""Texts for people, what only the type checker reads, and imports."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """``source`` is the whole text of ``path`` with the mistake on ``line``; ``what`` tells it in a few words.

    ``function`` is the outermost one that the mistake is in (``Class.method``), "" for what runs at the import;
    ``code`` is the line as it was.
    """

    path: Path
    line: int
    what: str
    source: str
    function: str
    code: str


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    text = path.read_bytes()
    lines = text.decode().splitlines()
    found = []
    for node, function in _nodes(ast.parse(text)):
        for changed in _changes(node):
            new = f"({ast.unparse(changed)})" if isinstance(changed, ast.expr) else ast.unparse(changed)
            what = _missing(node, changed) or f"{_short(ast.unparse(node))} -> {_short(new)}"
            code = lines[node.lineno - 1].strip()
            found.append(Mutant(path, node.lineno, what, _replaced(text, node, new), function, code))
    return sorted(found, key=lambda one: one.line)


def _nodes(node: ast.AST, owner: str = "", function: str = "") -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """All expressions and statements in which a mistake would matter, with the outermost function that they are in.

    No annotations, no decorators.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        body = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body"
        within = function or (f"{owner}{node.name}" if body else "")  # type: ignore[attr-defined]
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, UNTOUCHED):
                if isinstance(child, ast.expr | ast.stmt):
                    yield child, within
                yield from _nodes(child, f"{owner}{child.name}." if isinstance(child, ast.ClassDef) else owner, within)


def _changes(node: ast.expr | ast.stmt) -> Iterator[ast.expr | ast.stmt]:
    """The node with each of its possible mistakes."""
    if isinstance(node, ast.stmt):
        yield from _statements(node)
    elif isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[number] = COMPARISONS[type(operator)]()
            yield changed
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in CALCULATIONS and not isinstance(node.left, ast.List):
        yield ast.BinOp(node.left, CALCULATIONS[type(node.op)](), node.right)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.IfExp) and _plain(node.test):
        yield ast.IfExp(_negated(node.test), node.body, node.orelse)
    elif isinstance(node, ast.Dict) and len(node.keys) > 1:
        for number, key in enumerate(node.keys):
            if isinstance(key, ast.Constant):
                yield ast.Dict(_without(node.keys, number), _without(node.values, number))


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(node, ast.If | ast.While) and _plain(node.test):
        changed = copy.deepcopy(node)
        changed.test = _negated(node.test)
        yield changed
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))
    elif _can_be_left_out(node):
        yield ast.Pass()


def _can_be_left_out(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        code = ast.unparse(node.value)
        return not isinstance(node.value, ast.Constant) and not code.startswith("log.") and "ctx.log." not in code
    if isinstance(node, ast.Assign):
        return all(isinstance(one, ast.Attribute | ast.Subscript) for one in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break)


def _plain(test: ast.expr) -> bool:
    """Whether a condition has no operator of its own that is mistaken elsewhere."""
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _without(items: list, number: int) -> list:
    return items[:number] + items[number + 1 :]


def _replaced(text: bytes, node: ast.expr | ast.stmt, new: str) -> str:
    lines = text.splitlines(keepends=True)
    assert node.end_lineno is not None and node.end_col_offset is not None
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    indented = new.replace("\n", "\n" + " " * node.col_offset)
    return (text[:start] + indented.encode() + text[end:]).decode()


def _missing(node: ast.AST, changed: ast.AST) -> str:
    """What a row lacks now, "" for another mistake."""
    if not isinstance(node, ast.Dict) or not isinstance(changed, ast.Dict):
        return ""
    left = [ast.unparse(key) for key in changed.keys if key is not None]
    return f"without {next(word for key in node.keys if key and (word := ast.unparse(key)) not in left)}"


def _short(code: str) -> str:
    first = " ".join(code.split())
    return first if len(first) <= 70 else f"{first[:67]}..."
