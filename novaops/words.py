"""Numbers of things in a sentence: one task is, two tasks are."""


def counted(number: float, noun: str) -> str:
    """As in `1 day`, `2 days`."""
    return f"{number:.0f} {noun}{'' if number == 1 else 's'}"


def are(number: float) -> str:
    """The verb of so many."""
    return "is" if number == 1 else "are"


def there_are(number: float, noun: str) -> str:
    """As in `1 task is`, `2 tasks are`."""
    return f"{counted(number, noun)} {are(number)}"


class Amount(float):
    """A number that a sentence may have counted: `{value:ledger}` is `1 ledger` or `2 ledgers`."""

    def __format__(self, spec: str) -> str:
        return counted(self, spec) if len(spec) > 1 and spec.isalpha() else super().__format__(spec)
