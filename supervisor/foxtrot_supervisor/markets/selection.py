"""Which instruments the ``symbols`` of a connection select. Pure.

An entry is

* the exchange's own symbol: ``BTCUSDT``, in the case that the exchange uses, in any case where it has one only;
* an instrument: ``BTC-USDT``, as the instrument list names it;
* a pattern over both names: ``*-USDT``, ``BTC*`` (``*``: any characters, ``?``: one); or ``kind:perpetual``, all
  instruments of a kind; terms joined by ``&`` must all match: ``*-USDT&kind:perpetual``;
* any of these after ``!``: excluded, wherever it stands in the list.

Patterns select what is traded; a symbol that is named is selected in any status but ``ended``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from foxtrot_protocol.instruments import INSTRUMENT_KINDS, Instrument
from foxtrot_protocol.symbols import canonical_symbol, nearest_symbols

__all__ = ["PATTERN_CHARACTERS_MAX", "Selection", "Unmatched", "entry_problem", "is_pattern", "select"]

PATTERN_CHARACTERS_MAX: Final = 200
"""Longest entry of ``symbols``."""

_KIND: Final = "kind:"
_EXCLUDE: Final = "!"
_AND: Final = "&"

_Test: TypeAlias = Callable[[Instrument], bool]


class Unmatched(Struct, frozen=True):
    """An entry that selects nothing, and why."""

    entry: str
    reason: str


class Selection(Struct, frozen=True):
    """`symbols`: the exchange's names of what is selected, in the order of the instrument list."""

    symbols: list[str]
    unmatched: list[Unmatched]


def is_pattern(entry: str) -> bool:
    """Whether `entry` can only be resolved with the exchange's instrument list; instrument names look like symbols."""
    return entry.startswith((_EXCLUDE, _KIND)) or any(character in entry for character in "*?&")


def entry_problem(entry: str) -> str:
    """Return what is wrong with the text of an entry, "" if nothing is."""
    if len(entry) > PATTERN_CHARACTERS_MAX:
        return f"is longer than {PATTERN_CHARACTERS_MAX} characters"
    body = entry.removeprefix(_EXCLUDE)
    for term in body.split(_AND):
        if not term:
            return "has an empty term"
        if term.startswith(_EXCLUDE):
            return f"has {_EXCLUDE!r} inside: it stands at the beginning of an entry only"
        kind = term.removeprefix(_KIND)
        if kind != term and kind not in INSTRUMENT_KINDS:
            return f"names no kind of instrument: {kind!r} (there are {', '.join(sorted(INSTRUMENT_KINDS))})"
    return ""


def select(entries: Sequence[str], instruments: Sequence[Instrument], case: str) -> Selection:
    """Return what `entries` select among `instruments`.

    Args:
        entries: as configured; none has an `entry_problem`.
        instruments: the exchange's list; symbols are unique.
        case: how the exchange writes symbols (`foxtrot_protocol.symbols.SymbolCase`).

    Entries that match nothing, or a name that several instruments have, are in `Selection.unmatched`. Excluding
    something that is not listed is no mistake: it may have been delisted.
    """
    by_symbol = {each.symbol: each for each in instruments}
    by_name: defaultdict[str, list[Instrument]] = defaultdict(list)
    for each in instruments:
        by_name[each.instrument].append(each)
    chosen: set[str] = set()
    unmatched: list[Unmatched] = []
    for entry in entries:
        if entry.startswith(_EXCLUDE):
            continue
        if is_pattern(entry):
            matches = _compile(entry, case)
            found = [each.symbol for each in instruments if each.status == "trading" and matches(each)]
            reason = "matches no instrument that is traded"
        else:
            found, reason = _named(entry, by_symbol, by_name, case)
        chosen.update(found)
        if not found:
            unmatched.append(Unmatched(entry, reason))
    for entry in entries:
        if entry.startswith(_EXCLUDE):
            matches = _compile(entry.removeprefix(_EXCLUDE), case)
            chosen.difference_update([symbol for symbol in chosen if matches(by_symbol[symbol])])
    return Selection([each.symbol for each in instruments if each.symbol in chosen], unmatched)


def _named(
    entry: str, by_symbol: dict[str, Instrument], by_name: dict[str, list[Instrument]], case: str
) -> tuple[list[str], str]:
    """Return the symbol that `entry` names, or none and the reason."""
    own = by_symbol.get(canonical_symbol(entry, case))
    if own is not None:
        return ([own.symbol], "") if own.status != "ended" else ([], "has ended: the exchange lists it no longer")
    named = [each for each in by_name.get(entry.upper(), ()) if each.status != "ended"]
    if len(named) == 1:
        return [named[0].symbol], ""
    if named:
        return [], f"is the instrument of several symbols: {', '.join(each.symbol for each in named)}"
    nearest = nearest_symbols(entry, _names(by_symbol.values()))
    return [], "is not listed" + (f" (nearest: {', '.join(nearest)})" if nearest else "")


def _names(instruments: Iterable[Instrument]) -> list[str]:
    return [each.symbol for each in instruments if each.status != "ended"]


def _compile(entry: str, case: str) -> _Test:
    tests = [_term(term, case) for term in entry.split(_AND)]
    return lambda instrument: all(test(instrument) for test in tests)


def _term(term: str, case: str) -> _Test:
    if term.startswith(_KIND):
        kind = term.removeprefix(_KIND)
        return lambda instrument: instrument.kind == kind
    own, named = _wildcard(canonical_symbol(term, case)), _wildcard(term.upper())
    return lambda instrument: bool(own.fullmatch(instrument.symbol) or named.fullmatch(instrument.instrument))


def _wildcard(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in text), re.DOTALL)
