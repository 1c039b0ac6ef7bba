"""The numbers of a run: millions of points of a metric in a few thousand, with every low and high kept."""

from __future__ import annotations

import math

PAIRS = 1000  # a curve is kept as at most twice so many pairs of a low and a high
ROOM = 24_000  # points on one page
EPOCHS = 1000  # of a run that are noted there
MARKS = 200  # so many values that are not finite keep their place; the others are counted


class Series:
    """One metric over its steps.

    Points are kept as they come until there are too many; then each run of `width` of them keeps its lowest and its
    highest, in their order, and `width` doubles as often as it must. What is not finite is kept apart, as marks.

    Attributes: points, [(step, seconds, value)]; marks, the same of values that are not finite; count, last, low, high:
    of all values, however many; strange: how many were not finite.

    >>> series = Series()
    >>> for step in range(100_000):
    ...     series.add(step, 0.0, 1.0 if step == 77_777 else 0.0)
    >>> series.count, series.high, len(series.shown()) < 4 * PAIRS + 3
    (100000, (77777, 0.0, 1.0), True)
    >>> (77777, 0.0, 1.0) in series.shown()
    True
    """

    __slots__ = ("points", "marks", "width", "count", "strange", "last", "low", "high", "_low", "_high", "_held")

    def __init__(self):
        self.points: list[tuple[int, float, float]] = []
        self.marks: list[tuple[int, float, float]] = []
        self.width = 1  # so many values stand behind a pair of points
        self.count = self.strange = self._held = 0
        self.last: tuple[int, float, float] | None = None
        self.low: tuple[int, float, float] | None = None
        self.high: tuple[int, float, float] | None = None
        self._low = self._high = (0, 0.0, 0.0)  # of the values since the last pair

    def add(self, step: int, seconds: float, value: float) -> None:
        """Add one value."""
        self.count += 1
        self.last = point = (step, seconds, value)
        if value - value != 0:
            self.strange += 1
            if len(self.marks) < MARKS:
                self.marks.append(point)
            return
        if self.low is None or self.high is None:
            self.low = self.high = point
        elif value < self.low[2]:
            self.low = point
        elif value > self.high[2]:
            self.high = point
        if self.width == 1:
            self.points.append(point)
            if len(self.points) >= 4 * PAIRS:
                self._halve()
            return
        if not self._held:
            self._low = self._high = point
        elif value < self._low[2]:
            self._low = point
        elif value > self._high[2]:
            self._high = point
        self._held += 1
        if self._held == self.width:
            self.points += self._pair()
            self._held = 0
            if len(self.points) >= 4 * PAIRS:
                self._halve()

    def _pair(self):
        return sorted({self._low, self._high})

    def _halve(self):
        """Each four points become two."""
        self.points = thinned(self.points, 4)
        self.width = 4 if self.width == 1 else 2 * self.width

    def cut(self, step: int) -> None:
        """Forget the points from `step` on: a run that continues from an earlier step takes another way there."""
        self.points = [p for p in self.points if p[0] < step]
        self.marks = [p for p in self.marks if p[0] < step]
        self._held = 0
        self.low = min(self.points, key=lambda p: p[2], default=None)
        self.high = max(self.points, key=lambda p: p[2], default=None)

    def shown(self, most: int = 4 * PAIRS) -> list[tuple[int, float, float]]:
        """The points to draw, at most about `most`; the lowest and the highest of all are among them."""
        points = self.points + (self._pair() if self._held else [])
        if len(points) > most:
            points = thinned(points, 2 * math.ceil(len(points) / max(2, most)))
        return points


def thinned(points: list, width: int) -> list:
    """Of each `width` points the lowest and the highest, in their order.

    >>> thinned([(0, 0, 5.0), (1, 0, 1.0), (2, 0, 9.0), (3, 0, 2.0)], 4)
    [(1, 0, 1.0), (2, 0, 9.0)]
    """
    kept = []
    for i in range(0, len(points), width):
        part = points[i : i + width]
        low = min(range(len(part)), key=lambda k: part[k][2])
        high = max(range(len(part)), key=lambda k: part[k][2])
        kept += [part[k] for k in sorted({low, high})]
    return kept


class Metrics:
    """All metrics of a run by name, and at which step each epoch was noted (a metric called "epoch" is that)."""

    def __init__(self):
        self.series: dict[str, Series] = {}
        self.epochs: list[tuple[int, float]] = []  # (step, epoch) where the epoch changed
        self.steps = -1  # the last step
        self.seconds = 0.0  # and when it was
        self._stale: set[str] = set()  # what an earlier session logged and this one has not yet

    def add(self, name: str, step: int, seconds: float, value: float) -> None:
        """Add one value of one metric."""
        self.steps, self.seconds = step, seconds
        if name == "epoch":
            if not self.epochs or self.epochs[-1][1] != value:
                self.epochs.append((step, value))
            return
        series = self.series.get(name)
        if series is None:
            series = self.series[name] = Series()
        elif name in self._stale:
            self._stale.discard(name)
            series.cut(step)
        series.add(step, seconds, value)

    def continues(self) -> None:
        """Another session begins: where it starts again at an earlier step, it replaces what was there."""
        self._stale = set(self.series)

    def axis(self) -> list[tuple[int, float]]:
        """(step, epoch) at which epochs were noted; the last one goes on at the pace of the one before it."""
        noted = thinned([(s, 0.0, e) for s, e in self.epochs], 2 * (len(self.epochs) // EPOCHS + 1))
        pairs = [(s, e) for s, _, e in noted]
        if pairs and self.steps > pairs[-1][0]:
            (before, last), (step, epoch) = pairs[-2] if len(pairs) > 1 else (0, 0.0), pairs[-1]
            pace = (epoch - last) / (step - before) if step > before else 0.0
            pairs.append((self.steps, short(min(epoch + 1, epoch + pace * (self.steps - step)))))
        return pairs

    def plain(self, room: int = ROOM) -> list[dict]:
        """Every metric as plain data for the page; all together about `room` points."""
        most = max(10, min(4 * PAIRS, room // max(1, len(self.series))))
        digits = 3 if self.seconds < 100 else 1 if self.seconds < 10_000 else 0
        return [{"name": name, **_plain(series, most, digits)} for name, series in self.series.items()]


def _plain(series: Series, most: int, digits: int) -> dict:
    points = series.shown(most)
    return {
        "step": [p[0] for p in points],
        "time": [round(p[1], digits) for p in points],
        "value": [short(p[2]) for p in points],
        "marks": [[p[0], round(p[1], digits), short(p[2])] for p in series.marks],
        "count": series.count,
        "strange": series.strange,
        "thinned": series.count - series.strange > len(points),
        "last": _at(series.last),
        "low": _at(series.low),
        "high": _at(series.high),
    }


def _at(point):
    return None if point is None else [point[0], short(point[2])]


def short(value: float):
    """A number in six digits, as JSON can hold it: what is not finite becomes a text.

    >>> short(0.123456789), short(float("-inf")), short(2.0)
    (0.123457, '-Infinity', 2)
    """
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    value = float(f"{value:.6g}")
    return int(value) if value == int(value) and abs(value) < 1e15 else value
