"""What a PyTorch weight file says, read as data: a stack machine for the few opcodes that say it.

Such files are Python pickles, which may run any code when they are loaded the usual way. Here the
standard library only disassembles them (`pickletools.genops` runs nothing), and this machine knows
no more than dictionaries, lists, tuples, numbers, words, and the two or three names that describe
a tensor. Whatever else a file asks for is refused by name before anything is built.
"""

import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import torch

from foreframe.errors import ArtefactError

DTYPES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
LARGEST_NUMBER = 2**40  # of elements; beyond any file, within what sums of 64 bits can hold
CONSTANTS = {
    "BINUNICODE", "SHORT_BINSTRING", "BINSTRING", "BINFLOAT",
    "BININT", "BININT1", "BININT2", "LONG1",
}  # fmt: skip
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


@dataclass(frozen=True)
class Storage:
    """A run of numbers of one type that stands elsewhere in the file under a key."""

    dtype: torch.dtype
    key: str
    count: int


@dataclass(frozen=True)
class Layout:
    """A tensor: where its numbers stand in a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Description:
    """What one pickle says.

    Attributes:
        value: dictionaries, lists, tuples, numbers and words as they are; tensors as `Layout`.
        storages: every storage that it names, by key.
    """

    value: Any
    storages: Mapping[str, Storage]


@dataclass(frozen=True)
class _Name:
    """A name that the file refers to; it stands for no object."""

    text: str


_MARK = _Name("the mark")


def read(file: IO[bytes]) -> Description:
    """Return what one pickle says and leave the file behind its end.

    Raises:
        ArtefactError: the file is truncated, or asks for anything that is not data.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return Description(machine.stack.pop(), machine.storages)
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ArtefactError):
            raise
        raise ArtefactError(f"its list of tensors is damaged ({error})") from None
    raise ArtefactError("its list of tensors has no end")


class _Machine:
    """The stack, and what was put aside under a number."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.storages: dict[str, Storage] = {}
        self._kept: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in CONSTANTS:
            self.stack.append(argument)
        elif name in VALUES:
            self.stack.append(VALUES[name])
        elif name == "GLOBAL":
            self.stack.append(_name(argument))
        elif name in {"BINPUT", "LONG_BINPUT"}:
            self._kept[argument] = self.stack[-1]
        elif name in {"BINGET", "LONG_BINGET"}:
            self.stack.append(self._kept[argument])
        elif name in _STEPS:
            _STEPS[name](self)
        elif name != "PROTO":
            raise ArtefactError(f"it holds the instruction {name}, which no list of tensors needs")

    def marked(self) -> list[Any]:
        """Take everything above the last mark, and the mark."""
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise IndexError("a mark is missing")
        taken = self.stack[start + 1 :]
        del self.stack[start:]
        return taken

    def tuple_of(self, count: int) -> None:
        taken = [self.stack.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(taken)))

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError("values are added to what is no list")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError("entries are added to what is no dictionary")
        target.update(_pairs(values))

    def reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Name) or called.text not in _BUILDERS:
            raise TypeError("something is called that builds no tensor")
        self.stack.append(_BUILDERS[called.text](*arguments))

    def build(self) -> None:
        """Drop the attributes of a dictionary: PyTorch keeps version numbers there."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise TypeError("attributes are set on what is no dictionary")

    def storage(self) -> None:
        word, kind, key, _, count, *view = self.stack.pop()
        if word != "storage" or not isinstance(kind, _Name) or any(view):
            raise ValueError("a storage of an unknown kind")
        storage = Storage(DTYPES[kind.text], str(key), _whole(count))
        if self.storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"two descriptions of the storage {key}")
        self.stack.append(storage)


_STEPS: dict[str, Callable[[_Machine], None]] = {
    "MARK": lambda machine: machine.stack.append(_MARK),
    "EMPTY_DICT": lambda machine: machine.stack.append({}),
    "EMPTY_LIST": lambda machine: machine.stack.append([]),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "APPEND": lambda machine: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine: machine.append(machine.marked()),
    "SETITEM": lambda machine: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine: machine.set_items(machine.marked()),
    "REDUCE": lambda machine: machine.reduce(),
    "BUILD": lambda machine: machine.build(),
    "BINPERSID": lambda machine: machine.storage(),
}


def _dictionary(pairs: Any = ()) -> dict[Any, Any]:
    return dict(pairs)


def _layout(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Layout:
    """Describe a tensor; what follows the strides is about gradients."""
    if not isinstance(storage, Storage) or not isinstance(shape, tuple | list):
        raise TypeError("a tensor without a storage or a shape")
    sizes = tuple(_whole(size) for size in shape)
    return Layout(storage, _whole(offset), sizes, tuple(_whole(stride) for stride in strides))


def _parameter(tensor: Any, *_: Any) -> Layout:
    if not isinstance(tensor, Layout):
        raise TypeError("a parameter that is no tensor")
    return tensor


_BUILDERS: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": _dictionary,
    "torch._utils _rebuild_tensor": _layout,
    "torch._utils _rebuild_tensor_v2": _layout,
    "torch._utils _rebuild_parameter": _parameter,
}


def _name(text: str) -> _Name:
    if text not in _BUILDERS and text not in DTYPES:
        dotted = text.replace(" ", ".")
        raise ArtefactError(f"it asks for {dotted}, which is code or an object and no weights")
    return _Name(text)


def _pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(values[::2], values[1::2], strict=True)


def _whole(number: Any) -> int:
    if type(number) is not int or not 0 <= number < LARGEST_NUMBER:
        raise ValueError(f"{number!r} where a size or a place belongs")
    return number
