"""Programs are data; a template checks what it is made of."""

from __future__ import annotations

import pytest

from foxtrot_workers.templates.program import Identifiers, Match, MatchStep, Program, Write, WriteStep
from tests.workers.templates.both_forms import native, needs_compiled

pytestmark = needs_compiled

KEY = MatchStep(Match.KEY)


def compile_program(*head: MatchStep) -> None:
    module = native()
    assert module is not None
    builder = module.BatchBuilder(lambda event: b"", lambda event: (-1, -1), -1)
    matcher = module.Matcher(builder, {}, 10, 10, 10)
    program = Program("a", head, (), (), (WriteStep(Write.BYTES, text=b"\x90"),), Identifiers.NONE)
    matcher.add(module.StreamTable("trade", "X", False), program)


def test_a_program_with_a_key_is_compiled() -> None:
    compile_program(KEY)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (KEY, MatchStep(Match.TEXT, slot=32)),
        (KEY, MatchStep(Match.SAME, slot=1, other=32)),
        (KEY, *(MatchStep(Match.LEVELS, slot=slot) for slot in range(5))),
    ],
)
def test_a_program_that_no_template_can_hold_is_refused(steps: tuple[MatchStep, ...]) -> None:
    with pytest.raises(ValueError, match="template"):
        compile_program(*steps)
