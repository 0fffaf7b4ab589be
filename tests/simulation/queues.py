"""The twin of Queue Storage: what shared/store/queue.py does, and the host's receive and delete with visibility."""

import heapq
from collections import Counter
from collections.abc import Callable

import msgspec

from shared.domain.messages import QUEUES, Message
from shared.store.queue import LONGEST_DELAY, Queues
from tests.simulation.steps import Hub, Step

Clock = Callable[[], float]


class Stored:
    """One message. `deliveries` is Azure's dequeue count; `gone` when it was deleted."""

    __slots__ = ("deliveries", "gone", "number", "queue", "text", "visible_at")

    def __init__(self, number: int, queue: str, text: str, visible_at: float) -> None:
        self.number = number
        self.queue = queue
        self.text = text
        self.visible_at = visible_at
        self.deliveries = 0
        self.gone = False


class QueueAccount:
    """All queues of one simulated storage account, in order of the time at which their messages show."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self._count = 0
        self._lengths: Counter[str] = Counter()
        self._hidden: list[tuple[float, int, Stored]] = []
        self.visible: list[Stored] = []
        """Unordered: queues promise no order."""
        self.next_at = float("inf")
        """When the next hidden message shows."""

    @property
    def length(self) -> int:
        return self._lengths.total()

    def length_of(self, queue: str) -> int:
        return self._lengths[queue]

    def put(self, queue: str, text: str, delay: float) -> Stored:
        self._count += 1
        self._lengths[queue] += 1
        stored = Stored(self._count, queue, text, self._now())
        self.hide(stored, delay)
        return stored

    def hide(self, stored: Stored, seconds: float) -> None:
        """Not shown for so long."""
        stored.visible_at = self._now() + seconds
        if stored in self.visible:
            self.visible.remove(stored)
        heapq.heappush(self._hidden, (stored.visible_at, stored.number, stored))
        self.next_at = self._hidden[0][0]

    def surface(self) -> list[Stored]:
        """What can be received now."""
        while self._hidden and self._hidden[0][0] <= self._now():
            at, _, stored = heapq.heappop(self._hidden)
            is_hidden = at != stored.visible_at  # again, for longer
            if not (stored.gone or is_hidden or stored in self.visible):  # hidden twice until one and the same instant
                self.visible.append(stored)
        self.next_at = self._hidden[0][0] if self._hidden else float("inf")
        return self.visible

    def take(self, stored: Stored, seconds: float) -> Stored:
        """Received: hidden from others for so long, and counted."""
        stored.deliveries += 1
        self.hide(stored, seconds)
        return stored

    def delete(self, stored: Stored) -> None:
        """Deleting twice is once."""
        if stored.gone:
            return
        stored.gone = True
        self._lengths[stored.queue] -= 1
        if stored in self.visible:
            self.visible.remove(stored)


class _Sending(msgspec.Struct, frozen=True):
    """What a send is about."""

    queue: str
    text: str
    wait: int

    def __str__(self) -> str:
        return f"{self.queue} {self.text} in {self.wait} s"


class TwinQueues(Queues):
    """What the app sees of the queues. Every verb is one I/O step."""

    def __init__(self, account: QueueAccount, hub: Hub) -> None:
        self._account = account
        self._hub = hub

    def send(self, message: Message, delay: int = 0) -> None:
        self.send_text(QUEUES[type(message)], msgspec.json.encode(message).decode(), delay)

    def send_text(self, queue: str, text: str, delay: int = 0) -> None:
        wait = max(0, min(delay, LONGEST_DELAY))
        step = Step("queue", "send", _Sending(queue, text, wait))
        self._hub.io(step, lambda: self._account.put(queue, text, wait))

    def length(self, queue: str) -> int:
        return self._hub.io(Step("queue", "length", queue), lambda: self._account.length_of(queue))

    def ensure(self, queue: str) -> None:
        """Queues of a simulation are there when they are used."""

    def receive(self, queue: str, seconds: float) -> Stored | None:
        """The first message that shows, hidden from others for so long; None when none does."""
        ready = [stored for stored in self._account.surface() if stored.queue == queue]
        return self._account.take(min(ready, key=lambda stored: stored.number), seconds) if ready else None

    def delete(self, stored: Stored) -> None:
        self._account.delete(stored)
