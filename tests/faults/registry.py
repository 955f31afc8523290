"""The list of faults of one room. No fault stands here."""

import dataclasses
import typing


@dataclasses.dataclass
class Fault:
    """`run(program, row)` makes the fault, fills the row, and raises where the program is not to be trusted."""

    name: str
    run: typing.Callable
    mounts: bool = False


class Faults(list):
    """A decorator that takes functions into the list; several names with arguments make several faults of one function."""

    last = (None, 0)

    def __call__(self, name, *args, mounts=False):
        def take(function):
            # The decorators of one function are applied from below, and are to be read from above.
            at = self.last[1] if self.last[0] is function else len(self)
            self.last = (function, at)
            self.insert(at, Fault(name, lambda program, row: function(program, row, *args), mounts))
            return function

        return take
