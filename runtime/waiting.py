"""Orders that wait for a painter, drawn in batches of what has come together in the meantime.

Nobody waits for company: who comes first is drawn at once, and those that come while that is being
drawn go together next. The thread that draws ends when nothing waits.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from t2i.runtime.errors import BusyError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future

Order = TypeVar("Order")
Drawn = TypeVar("Drawn")


class Waiting(Generic[Order, Drawn]):
    """A bounded queue and who serves it; several threads may use one at once."""

    def __init__(
        self, serve: Callable[[Sequence[Order]], Sequence[Drawn]], *, most: int, room: int
    ) -> None:
        """
        Args:
            most: orders that are served together.
            room: orders that may wait.
        """
        self._serve, self._most, self._room = serve, most, room
        self._orders: deque[tuple[Order, Future[Drawn]]] = deque()
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False

    def submit(self, order: Order, timeout: float | None) -> "Future[Drawn]":
        """
        Args:
            timeout: seconds to wait for room; None for as long as it takes.

        Raises:
            BusyError: there was no room in that time.
            UsageError: it is closed.
        """
        from concurrent.futures import Future  # who draws one picture starts sooner without it

        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                raise BusyError(
                    f"{self._room} captions are waiting already",
                    hint="try again later, or wait longer for room (timeout)",
                )
            if self._closed:
                raise closed()
            future: Future[Drawn] = Future()
            self._orders.append((order, future))
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="t2i-painter")
                self._worker.start()
        return future

    def close(self) -> None:
        """Cancel what waits, and wait for what is being drawn."""
        with self._changed:
            self._closed = True
            waiting = [future for _, future in self._orders]
            self._orders.clear()
            self._changed.notify_all()
            # Who closes it when a picture is done may be the worker itself.
            myself = threading.current_thread()
            self._changed.wait_for(lambda: self._worker in (None, myself))
        for future in waiting:
            future.cancel()
            future.set_running_or_notify_cancel()

    def _has_room(self) -> bool:
        return self._closed or len(self._orders) < self._room

    def _work(self) -> None:
        while batch := self._next():
            try:
                drawn = self._serve([order for order, _ in batch])
            except Exception as error:  # noqa: BLE001  # it is for those who ordered
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), each in zip(batch, drawn, strict=True):
                    future.set_result(each)

    def _next(self) -> list[tuple[Order, "Future[Drawn]"]]:
        """What is served together now; nothing ends the work."""
        batch: list[tuple[Order, Future[Drawn]]] = []
        with self._changed:
            while self._orders and len(batch) < self._most:
                order, future = self._orders.popleft()
                if future.set_running_or_notify_cancel():
                    batch.append((order, future))
            if not batch:
                self._worker = None
            self._changed.notify_all()
        return batch


def closed() -> UsageError:
    return UsageError("this painter is closed", hint="load another one: t2i.load(…)")
