"""Judges the seed of a NATS key before a client gets it, which would raise an error of nkeys while it connects."""

from __future__ import annotations

__all__ = ["seed_problem"]

_BEGIN = "BEGIN USER NKEY SEED"


def seed_problem(text: str) -> str:
    """Return why the seed in `text` cannot be used, "" if it can; the text does not contain it. Needs nkeys.

    Args:
        text: a seed, or the content of a ``.creds`` file (NATS documentation, "User credentials").
    """
    import nkeys

    seed = text.strip()
    if "BEGIN " in text:
        lines = iter(text.splitlines())
        seed = next((next(lines, "").strip() for line in lines if _BEGIN in line), "")
    try:
        nkeys.from_seed(seed.encode())
    except (nkeys.NkeysError, ValueError):
        return "holds no usable seed of an nkey"
    return ""
