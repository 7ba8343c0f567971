"""One login's streams, kept standing: what is asked for, acknowledged, behind, silent. Pure: it opens nothing.

    waiting ──connected──► asked ──acknowledged──► behind ──filled──► live
       ▲                     └──refused──► refused              │
       └───────────────────── broke ────────────────────────────┘

A subject is *behind* until its gap is filled from the provider's history: what it tells meanwhile is held back, so
that everything is handed on once, and in order. The first time nothing of the history is told but where a price stands:
that is where the feed begins. Where the stream itself says so at once, the first time is live with its first frame.

The driver with the provider under it is `following.py`; what of a subject is news is `news.py`; what was missed is
`gaps.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import ProviderError, UnsupportedError
from bot.network.pacing import backoff
from bot.providers.gaps import AHEAD, Gap, Handed, Hole, Outage, handed_on, hole_in, is_over, overlap
from bot.providers.news import Mark, News
from bot.providers.records import Candle, Entry, Market, Quote, Reading
from bot.providers.streams import Subject, Told, Topic
from bot.providers.threads import State, Thread

HELD = 20_000
"""So much is held back of one subject while its gap is being filled; beyond it history is asked once more."""
_CANDLES_TAKE_SECONDS = 120.0
_FILL_CAP_SECONDS = 10.0
_HAVE_HISTORY = frozenset({Topic.QUOTE, Topic.CANDLE, Topic.ENTRY})
_DATED = (Quote, Candle)


@dataclass(frozen=True, slots=True)
class Figures:
    """How patient a standing line is. Tests lower these."""

    backoff_seconds: float = 0.5
    backoff_cap_seconds: float = 60.0
    ack_seconds: float = 15.0
    """How long the provider may take to say that it will tell of everything that was wished."""
    stall_seconds: float = 60.0
    """So long a subject may be silent before it is looked at by other means."""
    dead_seconds: float = 60.0
    """So long the other side may give no sign of life at all."""
    overlap_seconds: float = 30.0
    """History is asked for from so long before the gap: their clock may not be ours."""
    fill_tries: int = 6


class Standing:
    """One login's streams. Nothing here waits; the clock is only read."""

    def __init__(self, clock: Clock, figures: Figures, marks: Mapping[Subject, Mark] | None = None) -> None:
        """
        Args:
            marks: How far subjects were told by whoever stood here before.
        """
        self._clock = clock
        self._figures = figures
        self._stored = dict(marks or {})
        self._threads: dict[Subject, Thread] = {}
        self._at_once: frozenset[Topic] = frozenset()
        self._is_connected = False
        self._connected_at = 0.0
        self._alive_at = 0.0
        self._attempt = 0
        self._believed_until = clock.now() + AHEAD
        self.disbelieved = 0
        """Events dated so far ahead of our clock that they were left out."""

    # what is wished

    @property
    def subjects(self) -> frozenset[Subject]:
        return frozenset(self._threads)

    def want(self, subjects: Iterable[Subject]) -> None:
        """From now on these, and no others; what is told of another is not listened to."""
        wanted = frozenset(subjects)
        for gone in self._threads.keys() - wanted:
            del self._threads[gone]
        for subject in sorted(wanted - self._threads.keys()):
            mark = self._stored.pop(subject, None)
            thread = Thread(News(mark), None if mark is None else mark.until)
            self._threads[subject] = thread
            if self._is_connected:
                self._asked(thread)

    @property
    def refusals(self) -> frozenset[Subject]:
        """What the provider does not tell of, on this connection."""
        return frozenset(one for one, thread in self._threads.items() if thread.state is State.REFUSED)

    # the line

    @property
    def is_up(self) -> bool:
        """Connected, and everything wished was acknowledged or refused."""
        return self._is_connected and all(
            thread.state not in (State.WAITING, State.ASKED) for thread in self._threads.values()
        )

    def state_of(self, subject: Subject) -> State | None:
        """None for what is not wished."""
        thread = self._threads.get(subject)
        return None if thread is None else thread.state

    def connected(self, begins_at_once: frozenset[Topic] = frozenset()) -> None:
        """There is a new connection; everything is asked for anew. What begins at once, see `Streams`."""
        self._at_once = begins_at_once
        self._is_connected = True
        self._connected_at = self._alive_at = self._clock.monotonic()
        for thread in self._threads.values():
            self._asked(thread)

    def alive(self) -> None:
        self._alive_at = self._clock.monotonic()

    def broke(self) -> None:
        """The connection is over. Nothing was heard since its last sign of life, whenever the end was noticed."""
        now = self._clock.monotonic()
        if self._is_connected and now - self._connected_at > self._figures.backoff_cap_seconds:
            self._attempt = 0
        self._is_connected = False
        stalled = any(thread.is_stalled for thread in self._threads.values())
        for thread in self._threads.values():
            if thread.state is State.LIVE:
                thread.live_until = self._moment_of(thread.heard_at if stalled else self._alive_at)
            thread.state, thread.since, thread.is_stalled = State.WAITING, now, False
            thread.held = []  # the history has it, too, and what came after it

    def pause(self) -> float:
        """Seconds to wait before the next connection (R01): full jitter, from the beginning after the first data."""
        figures = self._figures
        seconds = backoff(self._attempt, base_seconds=figures.backoff_seconds, cap_seconds=figures.backoff_cap_seconds)
        self._attempt += 1
        return seconds

    # what the provider says

    def acknowledged(self, subject: Subject) -> list[Handed]:
        """It will tell of it. What it told already is handed on now where there is no history to wait for."""
        thread = self._threads.get(subject)
        if thread is None or thread.state not in (State.ASKED, State.REFUSED):
            return []
        self.alive()
        now = self._clock.now()
        thread.outage = None if thread.live_until is None else Outage(thread.live_until, max(now, thread.live_until))
        if subject.topic not in _HAVE_HISTORY or (thread.held and self._begins(subject, thread)):
            return self._go_live(subject, thread)
        thread.state, thread.since = State.BEHIND, self._clock.monotonic()
        thread.fill_tries, thread.fill_not_before = 0, 0.0
        return []

    def refused(self, subject: Subject) -> None:
        """It will not tell of it on this connection."""
        thread = self._threads.get(subject)
        if thread is not None:
            if thread.state is State.LIVE:
                thread.live_until = self._moment_of(self._alive_at)
            thread.state, thread.held = State.REFUSED, []

    def heard(self, subject: Subject, told: Told) -> bool:
        """Whether to hand it on now."""
        thread = self._threads.get(subject)
        if thread is None:
            return False
        thread.heard_at = self._alive_at = self._clock.monotonic()
        self._attempt = 0
        if isinstance(told, _DATED) and told.at > self._believed_until and not self._believes(told.at):
            return False
        if thread.state is State.BEHIND and self._begins(subject, thread):
            thread.state, thread.since = State.LIVE, thread.heard_at
        if thread.state is State.LIVE:
            news = thread.news
            is_news = news.takes(told, self._clock.now()) if isinstance(told, Entry) else news.takes(told)
            thread.is_touched |= is_news
            return is_news
        if thread.state in (State.ASKED, State.BEHIND):
            self._hold(thread, told)
        return False

    def _begins(self, subject: Subject, thread: Thread) -> bool:
        """Whether its first frame is the beginning of the feed."""
        return thread.outage is None and subject.topic in self._at_once

    def _hold(self, thread: Thread, told: Told) -> None:
        if len(thread.held) >= HELD:
            thread.held = []
            if thread.outage is not None:
                thread.outage = replace(thread.outage, until=self._clock.now())  # whatever is asked for now falls short
        thread.held.append(told)

    def _believes(self, at: datetime) -> bool:
        self._believed_until = self._clock.now() + AHEAD
        if at > self._believed_until:
            self.disbelieved += 1
            return False
        return True

    # gaps

    def next_gap(self) -> Gap | None:
        """What to ask of the history now, the longest gap first; None while there is nothing to ask."""
        monotonic, now = self._clock.monotonic(), self._clock.now()
        due = [
            (thread.live_until or now, subject)
            for subject, thread in self._threads.items()
            if thread.state is State.BEHIND and not thread.is_filling and thread.fill_not_before <= monotonic
        ]
        if not due:
            return None
        since, subject = min(due)
        thread = self._threads[subject]
        thread.is_filling = True
        earlier = overlap(subject.topic, thread.outage, timedelta(seconds=self._figures.overlap_seconds))
        return Gap(subject, since - earlier, now, thread.outage)

    def filled(self, gap: Gap, reading: Reading[Told]) -> tuple[list[Handed], Hole | None]:
        """What is to be handed on now that the history is there, and what it could not tell."""
        thread = self._threads.get(gap.subject)
        if thread is None:
            return [], None
        thread.is_filling = False
        history = [one for one in reading.items if is_over(one, gap)]
        hole = hole_in(gap, reading)
        if thread.state is State.BEHIND and thread.outage == gap.outage:
            return self._go_live(gap.subject, thread, history), hole
        if gap.outage is None:
            return [], hole  # it broke before the feed had begun
        handed = self._catch_up(gap.subject, thread, history, (), gap.outage)
        thread.live_until = gap.until
        if thread.outage is not None:
            thread.outage = Outage(gap.until, max(gap.until, thread.outage.until))
        return handed, hole

    def not_filled(self, gap: Gap, error: ProviderError) -> tuple[list[Handed], Hole | None]:
        """It could not be asked. After some tries, or where there is no history, it goes on without."""
        thread = self._threads.get(gap.subject)
        if thread is None:
            return [], None
        thread.is_filling = False
        if thread.state is not State.BEHIND:
            return [], None
        thread.fill_tries += 1
        must_know = gap.outage is None and gap.subject.topic is Topic.ENTRY  # else what was there would be told as news
        tried_enough = thread.fill_tries >= self._figures.fill_tries and not must_know
        hopeless = isinstance(error, UnsupportedError) or tried_enough
        if not hopeless:
            cap = self._figures.backoff_cap_seconds if must_know else _FILL_CAP_SECONDS
            seconds = backoff(thread.fill_tries, base_seconds=self._figures.backoff_seconds, cap_seconds=cap)
            thread.fill_not_before = self._clock.monotonic() + seconds
            return [], None
        outage = thread.outage
        hole = None if outage is None else Hole(gap.subject, outage.since, gap.until)
        return self._go_live(gap.subject, thread), hole

    def _go_live(self, subject: Subject, thread: Thread, history: Iterable[Told] = ()) -> list[Handed]:
        live, thread.held = thread.held, []
        handed = self._catch_up(subject, thread, history, live, thread.outage)
        thread.state, thread.since = State.LIVE, self._clock.monotonic()
        thread.heard_at = max(thread.heard_at, thread.since)
        thread.outage = None
        return handed

    def _catch_up(
        self,
        subject: Subject,
        thread: Thread,
        history: Iterable[Told],
        live: Sequence[Told],
        outage: Outage | None,
    ) -> list[Handed]:
        if outage is None and subject.topic is Topic.ENTRY:
            thread.news.begins(self._clock.now())
        since = None if outage is None else outage.since
        news = thread.news.catch_up(subject.topic, history, live, since, self._clock.now())
        thread.is_touched = True
        self._attempt = 0
        return handed_on(subject, news, outage)

    # signs of life

    def is_dead(self) -> bool:
        """Whether the connection gives no sign of life, or keeps silent about what it was asked for (R02, R03)."""
        if not self._is_connected:
            return False
        now = self._clock.monotonic()
        return now - self._alive_at > self._figures.dead_seconds or any(
            thread.state is State.ASKED and now - thread.since > self._figures.ack_seconds
            for thread in self._threads.values()
        )

    def silent(self) -> list[Subject]:
        """Prices of which nothing was heard for so long that they are to be looked at by other means, once."""
        now, quote = self._clock.monotonic(), self._figures.stall_seconds
        patience = {Topic.QUOTE: quote, Topic.CANDLE: quote + _CANDLES_TAKE_SECONDS}
        found = [
            subject
            for subject, thread in self._threads.items()
            if subject.topic in patience
            and thread.state is State.LIVE
            and now - thread.heard_at >= patience[subject.topic]
            and now - thread.looked_at >= quote
        ]
        for subject in found:
            self._threads[subject].looked_at = now
        return found

    def is_stalled(self, subject: Subject, market: Market) -> bool:
        """Whether the stream keeps something back: the market is open, and its price is not what was told last.

        An open market whose price has not moved has nothing to tell; the same silence is no fault then.
        """
        thread = self._threads.get(subject)
        if thread is None or thread.state is not State.LIVE or market.quote is None or market.is_open is False:
            return False
        if thread.heard_at > thread.looked_at:
            return False  # it spoke meanwhile
        before = thread.price if thread.news.price is None else thread.news.price
        thread.price = market.quote.mid
        thread.is_stalled = before is not None and thread.price != before
        return thread.is_stalled

    @property
    def alive_until(self) -> datetime:
        """When the other side last gave a sign of life."""
        return self._moment_of(self._alive_at)

    def silent_since(self, subject: Subject) -> datetime:
        """Since when nothing was heard of it."""
        thread = self._threads.get(subject)
        return self._moment_of(self._clock.monotonic() if thread is None else thread.heard_at)

    def _moment_of(self, monotonic: float) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.monotonic() - monotonic)

    def _asked(self, thread: Thread) -> None:
        thread.state, thread.since = State.ASKED, self._clock.monotonic()

    # how far it got

    def marks(self, *, everything: bool = False) -> dict[Subject, Mark]:
        """How far each subject was told, of those that told something since this was asked last, or of all."""
        now = self._clock.now()
        found: dict[Subject, Mark] = {}
        for subject, thread in self._threads.items():
            if not (thread.is_touched or everything):
                continue
            thread.is_touched = False
            until = now if thread.state is State.LIVE else thread.live_until
            if until is not None and (mark := thread.news.mark(until)) is not None:
                found[subject] = mark
        return found
