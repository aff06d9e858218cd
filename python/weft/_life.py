"""Lifetimes and threads: when objects of the library end, and who may use them.

The library has no reference counts: a device outlives what is on it, a model its sessions (docs/ownership.md). Here a
``Handle`` counts its user and the handles that need it, and destroys what it holds when the last of them has gone. So
neither the order of ``close`` nor that of the garbage collector matters, and closing twice is nothing.

A ``Guard`` lets one thread at a time into what belongs together (a device and all that is on it). Other threads wait.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from .errors import InvalidError

_numbers = itertools.count()
_counting = threading.RLock()  # the collector may call in from anywhere, also from within itself
_waiting: list[tuple["Guards", Callable[[], None]]] = []
_process = 0  # how many forks lie between the first process and this one


class Guard:
    """A lock with an owner. After a fork it is a new one, unless a thread was inside: nobody knows then what it
    left."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self._lock, self._owner, self._process, self._broken = threading.Lock(), 0, _process, False

    def _renew(self) -> None:
        if self._process != _process:
            self._broken = self._broken or self._owner != 0
            self._lock, self._owner, self._process = threading.Lock(), 0, _process

    def enter(self, wait: bool = True) -> bool:
        self._renew()
        if self._broken:
            raise InvalidError("another thread was using this when the process forked: make it anew")
        if self._owner == threading.get_ident():
            if not wait:
                return False
            raise InvalidError("a callback uses the object whose call it is told of")
        if not self._lock.acquire(blocking=wait):
            return False
        self._owner = threading.get_ident()
        return True

    def leave(self) -> None:
        self._owner = 0
        self._lock.release()


class Guards:
    """Several guards, entered in one order by everybody. A context manager; not to be entered twice by one thread."""

    __slots__ = ("_all",)

    def __init__(self, guards: Iterable[Guard]) -> None:
        self._all = sorted(set(guards), key=lambda guard: guard.number)

    def __iter__(self) -> Iterator[Guard]:
        return iter(self._all)

    def enter(self, wait: bool = True) -> bool:
        for i, guard in enumerate(self._all):
            try:
                entered = guard.enter(wait)
            except BaseException:
                self._leave(i)
                raise
            if not entered:
                self._leave(i)
                return False
        return True

    def _leave(self, n: int) -> None:
        for guard in reversed(self._all[:n]):
            guard.leave()

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self._leave(len(self._all))
        if _waiting:
            _end_waiting()

    def when_free(self, end: Callable[[], None]) -> None:
        """Calls ``end`` inside, now or when whoever is inside has left."""
        if not self.enter(wait=False):
            with _counting:
                _waiting.append((self, end))
            if not self.enter(wait=False):
                return  # who is inside sees it when leaving
            self._leave(len(self._all))
            _end_waiting()
            return
        try:
            end()
        finally:
            self._leave(len(self._all))
        if _waiting:
            _end_waiting()


def _end_waiting() -> None:
    with _counting:
        now = _waiting[:]
        del _waiting[: len(now)]
    for guards, end in now:
        guards.when_free(end)


def _after_fork() -> None:
    global _process, _counting
    _process += 1
    _counting = threading.RLock()
    _waiting.clear()


os.register_at_fork(after_in_child=_after_fork)


class Handle:
    """A pointer of the library's, who needs it, and how it ends.

    ``forks``: whether a child process may go on using it. What is on a device cannot: its threads are gone there.
    ``keep``: what must stay as long as the library has it (callbacks, texts). ``shared``: any number of threads may use
    it, whatever holds for its parents.
    """

    def __init__(
        self,
        what: str,
        pointer: Any,
        destroy: Callable[[Any], Any],
        parents: Sequence[Handle] = (),
        guard: Guard | None = None,
        forks: bool = True,
        keep: object = None,
        shared: bool = False,
    ) -> None:
        self.what, self._pointer, self._destroy, self._parents = what, pointer, destroy, tuple(parents)
        self._count, self._open, self._process, self._keep = 1, True, _process, keep
        self.forks: bool = forks and all(parent.forks for parent in parents)
        below: list[Guard] = [] if shared else [g for p in parents for g in p.guards]
        self.guards: Guards = Guards(below + ([guard] if guard else []))
        self._count_at(self._parents)

    @staticmethod
    def _count_at(parents: Sequence[Handle]) -> None:
        """They stay for as long as this does. One that is closed may do so, if something else still needs it."""
        with _counting:
            for parent in parents:
                if not parent._count:
                    raise parent._closed()
            for parent in parents:
                parent._count += 1

    def _closed(self) -> InvalidError:
        return InvalidError(f"this {self.what} is closed")

    @property
    def pointer(self) -> Any:
        if not self._open:
            raise self._closed()
        self._check_process()
        return self._pointer

    def _check_process(self) -> None:
        if not self.forks and self._process != _process:
            raise InvalidError(f"this {self.what} belongs to the process before the fork: make one in this process")

    @classmethod
    def make(
        cls,
        what: str,
        create: Callable[[], Any],
        destroy: Callable[[Any], Any],
        parents: Sequence[Handle],
        keep: object = None,
    ) -> Handle:
        """For what is made on its parents, which nobody else may use meanwhile."""
        handle = cls(what, None, destroy, parents, keep=keep)
        try:
            for parent in parents:
                parent._check_process()
            with handle.guards:
                handle._pointer = create()
        except BaseException:
            handle._destroy = lambda _pointer: None
            handle.close()
            raise
        return handle

    @property
    def kept(self) -> object:
        return self._keep

    def adopt(self, parents: Iterable[Handle]) -> None:
        """More that must stay as long as this: devices that weights come to lie on."""
        new = [parent for parent in parents if parent not in self._parents]
        self._count_at(new)
        self._parents += tuple(new)
        self.forks = self.forks and all(parent.forks for parent in new)
        self.guards = Guards([*self.guards, *(g for parent in new for g in parent.guards)])

    def devices(self) -> list[Handle]:
        """Those that it lies on, in order."""
        if self.what == "device":
            return [self]
        return list(dict.fromkeys(device for parent in self._parents for device in parent.devices()))

    def take(self) -> Any:
        """The pointer, which somebody else ends from now on."""
        pointer, self._destroy = self.pointer, lambda _pointer: None
        self.close()
        return pointer

    def __enter__(self) -> Any:
        """The pointer, to be used by this thread alone, and to stay until it is left."""
        self._check_process()
        self.guards.enter()
        try:
            self.retain()
        except BaseException:
            self.guards.__exit__()
            raise
        return self._pointer

    def __exit__(self, *_: object) -> None:
        self.guards.__exit__()
        self.release()

    @property
    def open(self) -> bool:
        return self._open

    def close(self) -> None:
        with _counting:
            if not self._open:
                return
            self._open = False
        self.release()

    def retain(self) -> None:
        """It stays, whoever closes it, until ``release``."""
        with _counting:
            if not self._open:
                raise self._closed()
            self._count += 1

    def release(self) -> None:
        with _counting:
            self._count -= 1
            if self._count:
                return
        if not self.forks and self._process != _process:
            return  # the parent's: nothing of it is here but memory
        self.guards.when_free(self._end)

    def _end(self) -> None:
        pointer, self._pointer = self._pointer, None
        self._destroy(pointer)
        self._keep = None
        parents, self._parents = self._parents, ()
        for parent in parents:
            parent.release()


T = TypeVar("T", bound="Object")


class Object:
    """What holds on to something of the library: closed by ``close``, at the end of ``with``, or when it is collected.

    Closing ends this object; memory is given back when nothing that was made of it needs it any more.
    """

    _handle: Handle

    def _own(self, handle: Handle) -> None:
        self._handle = handle
        weakref.finalize(self, handle.close)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return not self._handle.open

    def close(self) -> None:
        """Ends the object. Once more is nothing."""
        self._handle.close()

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
