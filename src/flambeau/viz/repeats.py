"""Equal modules that follow one another, such as the blocks of a transformer: a picture shows only the first."""

from __future__ import annotations

from collections.abc import Hashable

from .tracing import Step

FEWEST = 3  # equal modules in a row that are worth putting together
Place = tuple[Step, int]


class Repeats:
    """Rows of equal modules in a trace.

    rows: the first call of each row -> all calls of it. alias: a step in a later one -> the same step in the first.
    """

    def __init__(self, root: Step, kept: set[Step], outputs: list[Step]):
        self.kept = kept
        self.rows: dict[Step, list[Step]] = {}
        self.alias: dict[Step, Step] = {}
        self.forms: dict[Step, Hashable] = {}
        self.users: dict[Step, list[Step]] = {}
        for step in [*self._flat(root), *outputs]:
            for source, _ in step.sources:
                self.users.setdefault(source, []).append(step)
        self._look(root)

    def resolve(self, step: Step) -> Step:
        """The step that stands for a step in the picture."""
        while step in self.alias:
            step = self.alias[step]
        return step

    def later(self) -> set[Step]:
        """The calls that are not shown."""
        return {step for row in self.rows.values() for step in row[1:]}

    def _look(self, step: Step) -> None:
        content = [s for s in step.steps if s in self.kept]
        start = 0
        while start < len(content):
            stop = start + 1
            first = content[start]
            while stop < len(content) and first.steps and self._form(content[stop]) == self._form(first):
                stop += 1
            row = content[start:stop]
            if len(row) >= FEWEST and self._is_chain(row):
                self.rows[first] = row
                flat = self._flat(first)
                for other in row[1:]:
                    self.alias.update(zip(self._flat(other), flat))
            else:
                row = [first]
                stop = start + 1
            self._look(first)
            start = stop

    def _flat(self, step: Step) -> list[Step]:
        """A call and all that happened in it, in order."""
        return [step, *(inner for s in step.steps if s in self.kept for inner in self._flat(s))]

    def _form(self, step: Step) -> Hashable:
        """What is equal for equal modules: classes, shapes, numbers of parameters, and how the parts are connected."""
        if step not in self.forms:
            flat = self._flat(step)
            number = {s: i for i, s in enumerate(flat)}
            self.forms[step] = tuple(
                (
                    s.kind,
                    s.label,
                    tuple((tuple(shape), dtype.name) for shape, dtype in s.shapes),
                    "" if s.module is None else s.module.extra_repr(),
                    () if s.module is None else tuple(tuple(p.shape) for p in s.module.parameters()),
                    tuple((number.get(source, -1), i if source in number else 0) for source, i in s.sources),
                )
                for s in flat
            )
        return self.forms[step]

    def _is_chain(self, row: list[Step]) -> bool:
        """Whether each call takes from the one before what the next takes from it, and nobody else takes it."""
        flats = [self._flat(s) for s in row]
        numbers = [{s: i for i, s in enumerate(flat)} for flat in flats]
        taken = [[place for s in flat for place in s.sources if place[0] not in n] for flat, n in zip(flats, numbers)]
        pattern = None
        for before, places in zip(numbers, taken[1:]):
            found = [(before[s], i) if s in before else (s, i) for s, i in places]
            if pattern is None:
                pattern = found
            if found != pattern or all(isinstance(s, Step) for s, _ in found):
                return False
        if any(isinstance(p[0], Step) and p != first for p, first in zip(pattern or (), taken[0])):
            return False
        return all(
            user in here or user in after
            for here, after in zip(numbers, numbers[1:])
            for s in here
            for user in self.users.get(s, ())
        )
