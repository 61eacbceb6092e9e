"""What a pickle would do, found out without doing it.

A pickle is a program for a small machine with a stack. Here it is run with stand-ins: numbers and text are read, a name
stays a name, and a call becomes a `Node` that remembers what was to be called. Nothing is imported, called or built. Only
what today's picklers write is understood (protocols 2 to 5); everything else is refused rather than guessed at.
"""

from __future__ import annotations

import functools
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from fitbook.flavors._nodes import HUGE, OPAQUE, Items, Name, Node, Refused

# A tuple is hashed with all that is in it, as often as it is in it, and by recursion.
_MOST_NESTED, _MOST_WITHIN = 50, 1_000_000

_MOST_MARKS = 10_000

# Keys whose hashes their maker can choose (Python draws lots for those of text only) take as long as their number squared.
_MOST_ODD_KEYS = 1_000
_MODULUS = (1 << 61) - 1  # sys.hash_info.modulus: a number below is its own hash
_EVEN_KEYS = {bytes, slice, bool, type(None), Name}

# Vocabularies are dicts and lists of a hundred thousand words and numbers. Where a container has had one full batch
# (picklers write a thousand at a time), further full ones of such values alone are passed over at the speed of `re`.
_BATCH = 1000
_SHORT = b"|".join(re.escape(bytes([n])) + b".{%d}" % n for n in range(256))
_F = rb"(?:\x95.{8})?"
_NUMBER = _F + rb"(?:K.|M..|J....|G.{8}|[N\x88\x89])"


class _Plain(NamedTuple):
    """What a batch is known by, and what its words and its pairs of a word and a number are found by."""

    batch: re.Pattern[bytes]
    word: re.Pattern[bytes]
    pair: re.Pattern[bytes]


@functools.cache  # compiling them takes as long as scanning a small model
def _plain() -> _Plain:
    word = _F + rb"\x8c(?:" + _SHORT + rb")\x94"
    one_word, pair = _F + rb"\x8c(" + _SHORT + rb")\x94", _NUMBER.replace(b"(?:K", b"(K")
    kinds = [
        rb"(?P<words>(?:" + word + _NUMBER + rb"){1000}+" + _F + rb"u|(?:" + word + rb"){1000}+" + _F + rb"[e\x90])",
        rb"(?:" + _NUMBER + rb"){1000}+" + _F + rb"[e\x90]",
        rb"(?:" + _NUMBER + rb"){2000}+" + _F + rb"u",
    ]
    batch = _F + rb"\((?:" + b"|".join(kinds) + rb")"
    return _Plain(*(re.compile(each, re.DOTALL) for each in (batch, one_word, one_word + pair)))


# What models mostly consist of, taken in one step each: an array over the bytes before this (remembered, its dtype, shape and
# order, and the call), and some plain values in a row, of which each tree of a forest has the same.
_INTEGER = rb"(?:K.|M..|J.{4})"
_SHAPE = rb"(" + _INTEGER + rb"(?:\x85|" + _INTEGER + rb"(?:\x86|" + _INTEGER + rb"\x87)))"
_REST_OF_ARRAY = re.compile(rb"\x94(h.|j.{4})" + _SHAPE + rb"\x94(h.|j.{4})t\x94R\x94", re.DOTALL)
_LENGTH = struct.Struct("<Q")
_FLOAT = struct.Struct(">d")
_ROW = re.compile(rb"(?:h.|K.|[N\x88\x89]|G.{8}){8,40}", re.DOTALL)


class Scanner:
    """One pass over one pickle.

    Parameters
    ----------
    data : bytes
    calls, built : callable
        Called with each `Node` that is being made, and whose state is being set, at that moment.

    Attributes
    ----------
    called, made, named : set of Name
        What is called, made without a call, or named at all.
    passed : Counter of Name
        What is a value: of a parameter, an argument, an item; and how often.
    called_again : set of Name
        What has made something that is called in turn.
    filled : set of Name
        What has made something that items are put into; what these are is not looked at.
    nodes : dict of Name to list of Node
        By what makes them, in the order in which they begin.
    """

    def __init__(
        self,
        data: bytes,
        calls: Callable[[Node], object] = lambda node: None,
        built: Callable[[Node], object] = lambda node: None,
    ) -> None:
        self.data = data
        self.calls = calls
        self.built = built
        self.called: set[Name] = set()
        self.made: set[Name] = set()
        self.named: set[Name] = set()
        self.passed: Counter[Name] = Counter()
        self.called_again: set[Name] = set()
        self.filled: set[Name] = set()
        self.nodes: defaultdict[Name, list[Node]] = defaultdict(list)
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: list[Any] = []
        self._nested: dict[int, tuple[tuple[Any, ...], int, int]] = {}
        self._rows: dict[bytes, tuple[bytes, list[Any]]] = {}
        self._shapes: dict[bytes, tuple[int, ...]] = {}
        self._odd_keys = 0

    def scan(self) -> Any:
        """Go through all of it; returns the stand-in of the whole.

        Raises
        ------
        Refused
            It does what no model needs.
        EOFError
            It ends in the middle.
        """
        try:
            end = self._run()
        except (IndexError, struct.error):
            raise EOFError("it ends too early, or takes what is not there") from None
        if end != len(self.data):
            raise Refused(f"{len(self.data) - end} bytes follow its end")
        if self._below or len(self._stack) != 1:
            raise Refused("it leaves more or less than one object")
        self._pass(self._stack)
        return self._stack[0]

    def _run(self) -> int:
        # The opcodes of which a forest's pickle mostly consists stand here, the others in the table: this loop is what
        # loading safely costs.
        data, memo, table = self.data, self._memo, _HANDLERS
        remember = memo.append
        stack, below = self._stack, self._below
        length_at = _LENGTH.unpack_from
        position = 0
        while True:
            op = data[position]
            if op == 0x68:  # BINGET
                stack.append(memo[data[position + 1]])
                position += 2
            elif op == 0x94:  # MEMOIZE
                remember(stack[-1])
                position += 1
            elif op == 0x4B:  # BININT1
                stack.append(data[position + 1])
                position += 2
            elif op == 0x4E:  # NONE
                stack.append(None)
                position += 1
            elif op == 0x8C:  # SHORT_BINUNICODE
                begin = position + 2
                position = begin + data[position + 1]
                stack.append(data[begin:position])
            elif op == 0x28:  # MARK
                position += 1
                if data[position] == 0x96:
                    begin = position + 9
                    end = begin + length_at(data, position + 1)[0]
                    rest = _REST_OF_ARRAY.match(data, end) if end < len(data) else None
                    if rest and type(stack[-1]) is Name:
                        self._array(slice(begin, end), rest)
                        position = rest.end()
                        continue
                below.append(stack)
                if len(below) > _MOST_MARKS:
                    raise Refused("it begins thousands of containers without ending one")
                self._stack = stack = []
                position = self._row(position)
            elif op == 0x2E:  # STOP
                return position + 1
            else:
                position = table[op](self, position + 1)
                stack = self._stack

    # -- many at once ------------------------------------------------------------------------------------------------

    def _array(self, content: slice, rest: re.Match[bytes]) -> None:
        kind, sizes, order = rest.groups()
        shape = self._shapes.get(sizes)
        if shape is None:
            shape = self._shapes[sizes] = tuple(self._values(sizes[:-1]))
        memo = self._memo
        args = content, memo[_index(kind)], shape, memo[_index(order)]
        callee = self._stack[-1]
        node = self._stack[-1] = Node(callee, args)
        self.called.add(callee)
        self.nodes[callee].append(node)
        self.calls(node)
        memo += content, shape, args, node

    def _row(self, position: int) -> int:
        begin = self.data[position : position + 8]
        known = self._rows.get(begin)
        if known is None:
            found = _ROW.match(self.data, position)
            row = found[0] if found else b""
            known = self._rows[begin] = row, self._values(row)
        row, values = known
        if not self.data.startswith(row, position):
            return position
        self._stack += values
        return position + len(row)

    def _values(self, row: bytes) -> list[Any]:
        """What opcodes that are nothing but plain values, or remembered ones, stand for."""
        values, position = [], 0
        while position < len(row):
            op, size = row[position], _SIZES.get(row[position], 0)
            number = int.from_bytes(row[position + 1 : position + 1 + size], "little", signed=op == 0x4A)
            if op == 0x47:
                number = _FLOAT.unpack_from(row, position + 1)[0]
            values.append(self._memo[number] if op in b"hj" else _PLAIN.get(op, number))
            position += 1 + size
        return values

    # -- plain values ------------------------------------------------------------------------------------------------

    def _boolean(self, position: int) -> int:
        self._stack.append(self.data[position - 1] == 0x88)
        return position

    def _number(self, position: int) -> int:
        size = _INTEGERS[self.data[position - 1]]
        self._stack.append(int.from_bytes(self.data[position : position + size], "little", signed=size == 4))
        return self._row(position + size)

    def _float(self, position: int) -> int:
        self._stack.append(_FLOAT.unpack_from(self.data, position)[0])
        return position + 8

    def _long(self, position: int) -> int:
        begin, end = self._extent(position)
        # Arithmetic with numbers of a million digits takes its time; no check asks for them.
        self._stack.append(int.from_bytes(self.data[begin:end], "little", signed=True) if end - begin < 32 else HUGE)
        return end

    def _text(self, position: int) -> int:
        begin, end = self._extent(position)
        self._stack.append(self.data[begin:end])
        return end

    def _raw(self, position: int) -> int:
        begin, end = self._extent(position)
        self._stack.append(slice(begin, end))
        return end

    def _extent(self, position: int) -> tuple[int, int]:
        """Where the content of an opcode that says its length begins and ends."""
        size = _COUNTED[self.data[position - 1]]
        begin = position + size
        end = begin + int.from_bytes(self.data[position:begin], "little")
        if end > len(self.data):
            raise EOFError("it ends in the middle of a value")
        return begin, end

    # -- containers --------------------------------------------------------------------------------------------------

    def _empty(self, position: int) -> int:
        op = self.data[position - 1]
        self._stack.append(() if op == 0x29 else Items() if op == 0x7D else [])
        return position

    def _to_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._below.pop()
        return items

    def _tuple(self, position: int) -> int:
        op = self.data[position - 1]
        if op == 0x74:
            items = tuple(self._to_mark())
        else:
            count = op - 0x84
            if len(self._stack) < count:
                raise EOFError("it takes what is not there")
            items = tuple(self._stack[-count:])
            del self._stack[-count:]
        self._stack.append(items)
        kinds = set(map(type, items))
        if tuple in kinds:
            self._weigh(items)
        if Name in kinds:
            self._pass(items)
        return position

    def _weigh(self, items: tuple[Any, ...]) -> None:
        depth, within = 0, len(items)
        for item in items:
            if type(item) is tuple:
                _, inner, more = self._nested.get(id(item), (item, 0, len(item)))
                depth, within = max(depth, inner), within + more
        if depth >= _MOST_NESTED or within > _MOST_WITHIN:
            raise Refused("its tuples are nested so deeply that using them would take forever")
        self._nested[id(items)] = items, depth + 1, within

    def _append(self, position: int) -> int:
        marked = self.data[position - 1] != 0x61
        items = self._to_mark() if marked else [self._stack.pop()]
        target = self._stack[-1]
        if type(target) is not list and type(target) is not Node:
            raise Refused("it appends to what is no list")
        if Name in map(type, items):
            self._pass(items)
        if self.data[position - 1] == 0x90:
            self._hash(items)
        self._content_of(target).extend(items)
        return position if len(items) < _BATCH else self._pass_over(position)

    def _set_items(self, position: int) -> int:
        if self.data[position - 1] == 0x75:
            items = self._to_mark()
        else:
            items = self._stack[-2:]
            del self._stack[-2:]
        target = self._stack[-1]
        if len(items) % 2 or (type(target) is not Items and type(target) is not Node):
            raise Refused("it puts items into what is no dict")
        if type(target) is Items and target.closed:
            raise Refused("it changes the state of an object after it was set")
        if Name in map(type, items):
            self._pass(items)
        self._hash(items[::2])
        self._content_of(target).extend(items)
        return position if len(items) < _BATCH else self._pass_over(position)

    def _pass(self, items: Iterable[Any]) -> None:
        self.passed.update(item for item in items if type(item) is Name)

    def _hash(self, keys: list[Any]) -> None:
        if set(map(type, keys)) <= _EVEN_KEYS:
            return
        self._odd_keys += sum(map(_is_odd, keys))
        if self._odd_keys > _MOST_ODD_KEYS:
            raise Refused("it has thousands of keys that could all have one hash")

    def _content_of(self, target: Any) -> list[Any]:
        if type(target) is Node:
            self.filled.add(target.callee)
            return []
        content: list[Any] = target if type(target) is list else target.flat
        return content

    def _pass_over(self, position: int) -> int:
        target = self._stack[-1]
        while batch := _plain().batch.match(self.data, position):
            pairs = self.data[batch.end() - 1] == 0x75
            if pairs is (type(target) is list):
                break  # it puts into a list, or appends to a dict: who does so is told
            items: list[Any] = [OPAQUE] * (2 * _BATCH if pairs else _BATCH)
            if batch["words"]:
                words = self._words(batch["words"], pairs, items)
                self._memo.extend(words)
            self._content_of(target).extend(items)
            position = batch.end()
        return position

    def _words(self, batch: bytes, pairs: bool, items: list[Any]) -> list[bytes]:
        """Put the words of a batch among the items, with their numbers; returns the words."""
        found = (_plain().pair if pairs else _plain().word).findall(batch)
        if len(found) != _BATCH:
            raise Refused("it hides words among others")
        words = [word[1:] for word in (next(zip(*found, strict=True)) if pairs else found)]
        items[:: 1 + pairs] = words
        if pairs:
            read = int.from_bytes
            items[1::2] = [read(value[1:], "little") if value[0] in b"KM" else _number(value) for _, value in found]
        return words

    def _frozenset(self, position: int) -> int:
        items = self._to_mark()
        self._pass(items)
        self._hash(items)
        self._stack.append(items)
        return position

    def _pop(self, position: int) -> int:
        if self._stack:
            self._stack.pop()
        else:
            self._to_mark()
        return position

    def _pop_mark(self, position: int) -> int:
        self._to_mark()
        return position

    # -- remembered values -------------------------------------------------------------------------------------------

    def _put(self, position: int) -> int:
        size = _INDICES[self.data[position - 1]]
        # Picklers count; a number out of turn would make the real machine reserve memory for all below it.
        if int.from_bytes(self.data[position : position + size], "little") != len(self._memo):
            raise Refused("it remembers values out of turn")
        self._memo.append(self._stack[-1])
        return position + size

    def _get(self, position: int) -> int:
        self._stack.append(self._memo[int.from_bytes(self.data[position : position + 4], "little")])
        return position + 4

    # -- names and calls ---------------------------------------------------------------------------------------------

    def _global(self, position: int) -> int:
        end = self.data.find(b"\n", position)
        last = self.data.find(b"\n", end + 1)
        if end < 0 or last < 0:
            raise EOFError("it ends in the middle of a name")
        self._name(self.data[position:end], self.data[end + 1 : last])
        return last + 1

    def _stack_global(self, position: int) -> int:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not bytes or type(module) is not bytes:
            raise Refused("it names something by what is no text")
        self._name(module, name)
        return position

    def _name(self, module: bytes, name: bytes) -> None:
        # A space can't be part of what it separates, nor can what no identifier has hide in a message.
        if not (module.isascii() and name.isascii()) or set(module + name) & _NEVER_IN_NAMES:
            raise Refused(f"it names {module!r} {name!r}, which is no name")
        found = Name(f"{module.decode()} {name.decode()}")
        self.named.add(found)
        self._stack.append(found)

    def _reduce(self, position: int) -> int:
        return self._call(position, self.called)

    def _new(self, position: int) -> int:
        return self._call(position, self.made)

    def _call(self, position: int, used: set[Name]) -> int:
        args, callee = self._stack.pop(), self._stack.pop()
        if type(callee) is Node:  # a class that came with the pickle: whoever made it answers for it
            callee = callee.callee
            used = self.called_again
        if type(callee) is not Name or type(args) is not tuple:
            raise Refused("it calls what is no function or class")
        node = Node(callee, args)
        used.add(callee)
        self.nodes[callee].append(node)
        self.calls(node)
        self._stack.append(node)
        return position

    def _build(self, position: int) -> int:
        state, target = self._stack.pop(), self._stack[-1]
        if type(target) is not Node:
            raise Refused(f"it changes {target if type(target) is Name else 'what is no object of its own'}")
        if target.state is not Node:
            raise Refused("it sets the state of an object twice")
        if type(state) is Items:
            state.closed = True
        if type(state) is Name:
            self._pass([state])
        target.state = state
        self.built(target)
        return position

    # -- the frame ---------------------------------------------------------------------------------------------------

    def _protocol(self, position: int) -> int:
        if position != 1 or not 2 <= self.data[position] <= 5:
            raise Refused(f"its protocol is {self.data[position]}; 2 to 5 are known")
        return position + 1

    def _frame(self, position: int) -> int:
        begin = position + 8
        if begin + int.from_bytes(self.data[position:begin], "little") > len(self.data):
            raise EOFError("it ends in the middle of a frame")
        return begin

    def _unknown(self, position: int) -> int:
        raise Refused(
            f"it uses the opcode {self.data[position - 1 : position]!r}, which picklers of models do not write"
        )


def _is_odd(key: Any) -> bool:
    """Whether keys like this can be chosen to have one hash."""
    if type(key) is int:
        return abs(key) >= _MODULUS
    if type(key) is tuple:
        return not all(type(item) in _EVEN_KEYS or (type(item) is int and abs(item) < 2**31) for item in key)
    if (
        type(key) is Node
    ):  # numpy's numbers have too few that are equal in hash, but for complex ones and rows of a table
        kind = key.args[0] if key.callee.endswith(" scalar") and key.args else None
        code = kind.args[0] if type(kind) is Node and kind.args else None
        return type(code) is not bytes or code[:1] not in b"biufSUmM"
    return type(key) not in (*_EVEN_KEYS, float) and key is not OPAQUE


def _number(opcode: bytes) -> Any:
    size = _SIZES.get(opcode[0], 0)
    number = int.from_bytes(opcode[1:], "little", signed=opcode[0] == 0x4A)
    return _PLAIN.get(opcode[0], number) if size != 8 else OPAQUE


def _index(get: bytes) -> int:
    return get[1] if len(get) == 2 else int.from_bytes(get[1:], "little")


_NEVER_IN_NAMES = frozenset(set(range(128)) - {*b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.<>"})
_INTEGERS = {0x4D: 2, 0x4A: 4}
_SIZES = {0x68: 1, 0x6A: 4, 0x4B: 1, 0x4D: 2, 0x4A: 4, 0x47: 8}
_PLAIN = {0x4E: None, 0x88: True, 0x89: False}
_COUNTED = {0x8A: 1, 0x8B: 4, 0x58: 4, 0x8D: 8, 0x43: 1, 0x42: 4, 0x8E: 8, 0x96: 8}
_INDICES = {0x71: 1, 0x72: 4}

_HANDLERS: list[Callable[[Scanner, int], int]] = [Scanner._unknown] * 256
for _handler, _opcodes in (
    (Scanner._boolean, b"\x88\x89"),
    (Scanner._number, b"MJ"),
    (Scanner._float, b"G"),
    (Scanner._long, b"\x8a\x8b"),
    (Scanner._text, b"X\x8d"),
    (Scanner._raw, b"CB\x8e\x96"),
    (Scanner._empty, b")}]\x8f"),
    (Scanner._tuple, b"t\x85\x86\x87"),
    (Scanner._append, b"ae\x90"),
    (Scanner._set_items, b"su"),
    (Scanner._frozenset, b"\x91"),
    (Scanner._pop, b"0"),
    (Scanner._pop_mark, b"1"),
    (Scanner._put, b"qr"),
    (Scanner._get, b"j"),
    (Scanner._global, b"c"),
    (Scanner._stack_global, b"\x93"),
    (Scanner._reduce, b"R"),
    (Scanner._new, b"\x81"),
    (Scanner._build, b"b"),
    (Scanner._protocol, b"\x80"),
    (Scanner._frame, b"\x95"),
):
    for _opcode in _opcodes:
        _HANDLERS[_opcode] = _handler
