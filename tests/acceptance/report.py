"""Collects what the acceptance checks find, and prints it.

Knows nothing of the checks. A check that raises is a failure of that check, not the end of the run.
"""

import traceback

SHOWN = 8


class Report:
    """Failures by check, in the order in which the checks ran."""

    def __init__(self):
        self.failures = {}
        self.notes = []
        self.current = None

    def run(self, name, check, *arguments):
        """Runs one check under this name and gives back what it returns."""
        self.current = name
        self.failures.setdefault(name, [])
        try:
            return check(self, *arguments)
        except Exception as error:  # noqa: BLE001: whatever a library raises is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.fail(f"raised {type(error).__name__}: {str(error)[:300]} ({where.filename.rsplit('/', 1)[-1]}:{where.lineno})")
            return None

    def fail(self, message):
        self.failures[self.current].append(message)

    def expect(self, condition, message):
        if not condition:
            self.fail(message)
        return bool(condition)

    def equal(self, got, want, what):
        return self.expect(got == want, f"{what}: {got!r}, expected {want!r}")

    def note(self, message):
        self.notes.append(f"{self.current}: {message}")

    def finish(self):
        """Prints everything; the exit status."""
        for name, messages in self.failures.items():
            print(f"{'FAIL' if messages else 'ok  '} {name}")
            for message in messages[:SHOWN]:
                print(f"       {message}")
            if len(messages) > SHOWN:
                print(f"       … and {len(messages) - SHOWN} more")
        for note in self.notes:
            print(f"note {note}")
        bad = sum(bool(m) for m in self.failures.values())
        print(f"{len(self.failures) - bad} of {len(self.failures)} checks passed")
        return 1 if bad else 0
