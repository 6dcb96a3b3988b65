"""Search for the references that keep an object alive: a path from a root, or a cycle.

The search goes backwards through `gc.get_referrers`, level by level. Each call walks the whole heap while it holds the
interpreter lock. Therefore the search is limited in time, objects and depth, and made only for objects that have lived
too long, never in a healthy process.

Roots are modules, classes, and the local variables of threads. The path of an object that is held from outside Python
(by a C library or the interpreter) has no root.
"""

from __future__ import annotations

import collections
import functools
import gc
import inspect
import sys
import threading
import time
import types
from collections.abc import Collection, Iterator
from typing import Any, Literal

from msgspec import Struct

__all__ = ["DEPTH_MAX", "OBJECTS_MAX", "SEARCH_S", "Holding", "find_holding"]

SEARCH_S = 0.25
"""Time limit of a search."""

OBJECTS_MAX = 5_000
"""Limit of objects that a search visits."""

DEPTH_MAX = 25
"""Limit of references in a path."""

_AT_ONCE = 40
"""Objects passed to one call of `gc.get_referrers`, which compares every reference on the heap with each of them."""

_COPY_REFERENCES = 3
"""References to a copy of local variables that nothing else uses: the frame's, the local name, `getrefcount`'s."""

_ENTRIES_MAX = 100_000
"""Limit of entries of a container that are compared to find an object's place in it."""


class Holding(Struct, frozen=True):
    """What keeps an object alive.

    `kind`: ``root`` (a path from a root), ``cycle`` (only a reference cycle: the next run of the collector frees it,
    if that is not off), ``outside`` (an object unknown to the collector), ``unknown`` (a limit of the search was
    reached first), ``gone`` (nothing).
    """

    kind: Literal["root", "cycle", "outside", "unknown", "gone"]
    path: str
    """From the root to the object in Python's notation, or once around the cycle."""


def find_holding(target: Any, *, search_s: float = SEARCH_S, ignore: Collection[object] = ()) -> Holding:
    """Return what keeps `target` alive, except the caller and the objects in `ignore`.

    `search_s`: time limit in seconds.
    """
    return _Search(target, time.monotonic() + search_s, ignore).run()


class _Search:
    def __init__(self, target: Any, deadline: float, ignore: Collection[object]) -> None:
        self._target = target
        self._deadline = deadline
        self._child: dict[int, Any] = {}
        """By the id of a holder: the object that it refers to, one step nearer to the target."""
        self._known: dict[int, Any] = {id(target): target}
        """Visited objects by id; kept alive, so that no id is reused."""
        self._ours: set[int] = {id(each) for each in ignore}
        self._modules = {id(vars(module)): name for name, module in list(sys.modules.items()) if module is not None}
        self._locals = _thread_locals()

    def run(self) -> Holding:
        self._ours |= {id(each) for each in (self, vars(self), self._child, self._known, self._ours, self._modules)}
        self._ours |= {id(self._locals), *(id(each) for each in self._locals.values())}
        level = [self._target]
        last, cycle, cut = self._target, "", False
        for _ in range(DEPTH_MAX):
            above: list[Any] = []
            for holder, child in self._holders(level, above):
                if holder is self._target:
                    cycle = cycle or f"{_label(holder)}{self._step(holder, child)}{self._steps(child)} is itself"
                    continue
                if id(holder) in self._known:
                    continue
                self._known[id(holder)] = holder
                self._child[id(holder)] = child
                root = self._root(holder)
                if root is not None:
                    return Holding("root", root + self._steps(holder))
                above.append(holder)
            for each in level:
                place = self._locals.get(id(each))
                if place is not None:
                    return Holding("root", place + self._steps(each))
            if not above:
                break
            last, level = above[-1], above
            if time.monotonic() > self._deadline or len(self._known) > OBJECTS_MAX:
                cut = True
                break
        else:
            cut = True
        if cut:
            return Holding("unknown", _label(last) + self._steps(last))
        if cycle:
            return Holding("cycle", cycle)
        if last is self._target:
            return Holding("gone", "")
        return Holding("outside", _label(last) + self._steps(last))

    def _holders(self, level: list[Any], above: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield each object that refers to one of `level`, with that one."""
        for start in range(0, len(level), _AT_ONCE):
            # a tuple is passed as it is; a list would be copied, and the copy found as a holder
            part = tuple(level[start : start + _AT_ONCE])
            found = gc.get_referrers(*part)
            ours = self._ours | {id(level), id(above), id(part), id(found)}
            by_id = {id(each): each for each in part}
            ours.add(id(by_id))
            for holder in found:
                if id(holder) in ours or _is_ours(holder):
                    continue
                child = next((by_id[id(each)] for each in gc.get_referents(holder) if id(each) in by_id), None)
                if child is not None:
                    yield holder, child
            if time.monotonic() > self._deadline:
                return

    def _root(self, holder: Any) -> str | None:
        module = self._modules.get(id(holder))
        if module is not None:
            return module
        if isinstance(holder, types.ModuleType):
            return holder.__name__
        if isinstance(holder, type):
            return f"{holder.__module__}.{holder.__qualname__}"
        return None

    def _steps(self, holder: Any) -> str:
        """Return the path from `holder` to the target."""
        steps = []
        while holder is not self._target:
            child = self._child[id(holder)]
            steps.append(self._step(holder, child))
            holder = child
        return "".join(steps)

    def _step(self, holder: Any, child: Any) -> str:
        if id(holder) in self._modules:
            return f".{_key(holder, child)}"
        if isinstance(child, dict) and getattr(holder, "__dict__", None) is child:
            return ""  # the next step names the attribute
        if isinstance(holder, dict) and self._is_attributes(holder):
            return f".{_key(holder, child)}"
        return _edge(holder, child)

    def _is_attributes(self, holder: dict[Any, Any]) -> bool:
        owners = (self._known[each] for each, child in self._child.items() if child is holder)
        return any(getattr(each, "__dict__", None) is holder for each in (self._target, *owners))


def _thread_locals() -> dict[int, str]:
    """Return the name of each local variable of every thread by the id of its value, without those of the search."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found: dict[int, str] = {}
    frame: types.FrameType | None
    for ident, frame in sys._current_frames().items():
        while frame is not None:
            if not _is_ours(frame):
                place = f"thread {names.get(ident, ident)}, {frame.f_code.co_qualname}(): "
                for value, name in _locals_of(frame):
                    found.setdefault(value, place + name)
            frame = frame.f_back
    return found


def _locals_of(frame: types.FrameType) -> list[tuple[int, str]]:
    """Return id of the value and name of each local of a function; those of modules are found as attributes."""
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return []
    values = frame.f_locals
    found = [(id(value), name) for name, value in list(values.items())]
    # before 3.13 this is a copy that stays with the frame, and would keep its values alive until the function returns
    if isinstance(values, dict) and sys.getrefcount(values) <= _COPY_REFERENCES:
        values.clear()
    return found


def _is_ours(holder: object) -> bool:
    """Whether `holder` is a frame or generator of this module or of the monitor."""
    if isinstance(holder, types.FrameType):
        return holder.f_code.co_filename in _OUR_FILES
    return isinstance(holder, types.GeneratorType) and holder.gi_code.co_filename in _OUR_FILES


_OUR_FILES = {__file__, __file__.replace("reference_paths", "monitor")}


def _label(value: Any) -> str:
    kind = type(value)
    name = getattr(value, "__qualname__", None)
    if isinstance(value, types.FunctionType | types.MethodType | types.BuiltinFunctionType) and name:
        return f"function {name}"
    if isinstance(value, types.CoroutineType | types.GeneratorType):
        return f"{kind.__name__} {name}"
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _key(holder: dict[Any, Any], child: Any) -> str:
    for key, value in _some(holder.items()):
        if value is child:
            return str(key)
    return "?"


def _some(entries: Any) -> Iterator[Any]:
    try:
        for count, entry in enumerate(entries):
            if count >= _ENTRIES_MAX:
                return
            yield entry
    except RuntimeError:  # another thread changed the container
        return


def _edge(holder: Any, child: Any) -> str:
    """Return the step from `holder` to `child` in Python's notation."""
    if isinstance(holder, dict):
        for key, value in _some(holder.items()):
            if value is child:
                return f"[{_short(key)}]"
            if key is child:
                return "{key}"
    if isinstance(holder, list | tuple | collections.deque):
        place = next((index for index, value in enumerate(_some(holder)) if value is child), "?")
        return f"[{place}]"
    if isinstance(holder, set | frozenset):
        return "{member}"
    if isinstance(holder, types.MethodType):
        return ".__self__" if holder.__self__ is child else ".__func__"
    if isinstance(holder, types.CellType):
        return ".cell_contents"
    if isinstance(holder, functools.partial):
        return ".args" if holder.args is child else ".func" if holder.func is child else ".keywords"
    if isinstance(holder, types.FunctionType):
        return ".__closure__" if holder.__closure__ is child else "(function)"
    if isinstance(holder, types.FrameType | types.CoroutineType | types.GeneratorType):
        return f" in {_label(holder)}: {_local(holder, child)}"
    return _attribute(holder, child)


def _local(holder: Any, child: Any) -> str:
    frame = (
        holder
        if isinstance(holder, types.FrameType)
        else getattr(holder, "cr_frame", None) or getattr(holder, "gi_frame", None)
    )
    values = frame.f_locals if frame is not None else {}
    return next((name for name, value in values.items() if value is child), "?")


def _attribute(holder: Any, child: Any) -> str:
    attributes = getattr(holder, "__dict__", None)
    if isinstance(attributes, dict):
        for name, value in _some(attributes.items()):
            if value is child:
                return f".{name}"
    for kind in type(holder).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member = vars(kind).get(name)
            if isinstance(member, types.MemberDescriptorType):
                try:
                    value = member.__get__(holder)
                except AttributeError:
                    continue
                if value is child:
                    return f".{name}"
    return ".?"


def _short(key: Any) -> str:
    text = repr(key) if isinstance(key, str | int | float | tuple | bytes) else _label(key)
    return text if len(text) <= 60 else text[:57] + "..."
