"""Which entries of a module search path a process of ours gets."""

from __future__ import annotations

from foxtrot_supervisor.system.module_path import without_working_directory


def test_the_working_directory_that_the_interpreter_put_first_is_left_out() -> None:
    assert without_working_directory(["", "/lib"], "/here", "") == ["/lib"]
    assert without_working_directory(["/here", "/lib"], "/here", "") == ["/lib"]
    assert without_working_directory(["/lib", "", "/here"], "/here", "") == ["/lib", "/here"]
    assert without_working_directory(["/bin", "/lib"], "/here", "") == ["/bin", "/lib"]
    assert without_working_directory(["/bin", "/lib"], None, "") == ["/bin", "/lib"]
    assert without_working_directory([], "/here", "") == []


def test_a_folder_that_was_asked_for_stays() -> None:
    assert without_working_directory(["/here", "/lib"], "/here", "/other:/here") == ["/here", "/lib"]
