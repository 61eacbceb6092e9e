"""Python's own: containers that are no larger than what is put into them, and code that is none."""

from __future__ import annotations

import ast
from typing import Any

from fitbook.flavors._nodes import Items, Name, Node
from fitbook.flavors._stand_ins import Arrays, need, text

_LONGEST_RANGE = 1_000_000

# What makes objects of any class, and how the names of those begin that it is there for.
MAKES: dict[str, tuple[str, ...]] = {
    "sklearn.metrics._dist_metrics newObj": ("sklearn.metrics._dist_metrics ",),
    "sklearn.neighbors._kd_tree newObj": ("sklearn.neighbors._kd_tree ",),
    "sklearn.neighbors._ball_tree newObj": ("sklearn.neighbors._ball_tree ",),
}


def plain_state(arrays: Arrays, node: Node) -> None:
    """A dict: of a pair of states the second would be set attribute by attribute, the class among them."""
    del arrays
    need(type(node.state) is Items, f"a {node.callee.replace(' ', '.')} has another state than those have")


def of_its_own(arrays: Arrays, node: Node) -> None:
    """What makes objects of any class that it is given makes those of its own module only."""
    del arrays
    kind = node.args[0] if node.args else None
    need(type(kind) is Name and kind.startswith(MAKES[node.callee]), "it builds an object by what is there for others")


def attribute(arrays: Arrays, node: Node) -> None:
    """SciPy's discrete distributions keep a method of their own."""
    del arrays
    need(len(node.args) == 2 and type(node.args[0]) is Node, "it takes an attribute of what is no object of its own")
    own = node.args[0].callee.startswith("scipy.stats._discrete_distns ")
    need(own and node.args[1] == b"_entropy", f"it takes the attribute {text(node.args[1])!r} of an object")


def raw_bytes(arrays: Arrays, node: Node) -> None:
    """Bytes are given, not a number of them."""
    need(all(type(part) is slice for part in node.args), "it reserves memory")
    arrays.spend(sum(part.stop - part.start for part in node.args))


def numbers(arrays: Arrays, node: Node) -> None:
    """A range is a few bytes, and whoever goes through it needs what it stands for."""
    parts = [arrays.integer(part) for part in node.args]
    need(0 < len(parts) < 4 and (len(parts) < 3 or parts[2]), "a range is none")
    need(max(map(abs, parts)) < 1 << 62 and len(range(*parts)) <= _LONGEST_RANGE, "a range is far too long")


def empty(arrays: Arrays, node: Node) -> None:
    """Containers are made empty, and filled item by item."""
    del arrays
    args, default = node.args, node.callee.endswith(" defaultdict")
    if args and default:
        need(type(args[0]) in (Name, type(None)), "a dict has defaults that are none")
        args = args[1:]
    bounded = node.callee.endswith(" deque") and len(args) == 2 and type(args[1]) is int and args[0] in ((), [])
    need(args == () or bounded, "a container is made of what it does not hold itself")


def counter(arrays: Arrays, node: Node) -> None:
    """A counter is made of a dict."""
    need(len(node.args) < 2 and all(type(part) is Items for part in node.args), "a counter is made of what is no dict")
    arrays.spend(sum(8 * len(part.flat) for part in node.args))


def distribution(arrays: Arrays, node: Node) -> None:
    """SciPy runs a text when a distribution is unpickled: it defines three functions that pass their parameters on."""
    del arrays
    if node.callee.startswith("scipy.stats._distn_infrastructure rv_"):
        need(isinstance(node.state, Items), "a distribution has another state than those have")
        return
    template = node.attributes().get(b"_parse_arg_template", None)
    need(type(template) is bytes and _passes_parameters_on(text(template)), "a distribution brings code of its own")


def _passes_parameters_on(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    if not all(isinstance(part, ast.FunctionDef) for part in tree.body):
        return False
    return all(_passes_on(part) for function in tree.body for part in ast.walk(function))


def _passes_on(part: ast.AST) -> bool:
    if isinstance(part, ast.FunctionDef):
        return not part.decorator_list
    if isinstance(part, ast.Attribute):
        return part.attr == "_argcheck_rvs"
    if isinstance(part, ast.Call):
        return isinstance(part.func, ast.Attribute)
    return isinstance(part, _PASSING)


_PASSING = (ast.arguments, ast.arg, ast.Return, ast.Tuple, ast.Name, ast.Load, ast.Constant, ast.keyword)


def holds_range(value: Any) -> bool:
    """Whether an argument holds a range, which a call might go through."""
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if type(part) is Node and part.callee == "builtins range":
            return True
        if type(part) in (tuple, list, Items) and id(part) not in seen:
            seen.add(id(part))
            waiting += part.flat if type(part) is Items else part
    return False
