"""Which entries the module search path of our processes has."""

from __future__ import annotations

from foxtrot_supervisor.system.module_path import without_working_directory


def test_the_working_directory_put_first_by_the_interpreter_is_removed() -> None:
    assert without_working_directory(["", "/lib"], "/here", "") == ["/lib"]
    assert without_working_directory(["/here", "/lib"], "/here", "") == ["/lib"]
    assert without_working_directory(["/lib", "", "/here"], "/here", "") == ["/lib", "/here"]
    assert without_working_directory(["/bin", "/lib"], "/here", "") == ["/bin", "/lib"]
    assert without_working_directory(["/bin", "/lib"], None, "") == ["/bin", "/lib"]
    assert without_working_directory([], "/here", "") == []


def test_folders_of_pythonpath_are_kept() -> None:
    assert without_working_directory(["/here", "/lib"], "/here", "/other:/here") == ["/here", "/lib"]
