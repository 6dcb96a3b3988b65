"""A program that serves ``operator.sock`` without being a supervisor."""

from __future__ import annotations

from typing import Final

__all__ = ["IMPOSTOR"]

IMPOSTOR: Final = """
import os, socket, sys
uid = int(sys.argv[2])
if uid: os.setgid(uid); os.setuid(uid)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + "/operator.sock")
os.chmod(sys.argv[1] + "/operator.sock", 0o777)
listener.listen(8)
print(flush=True)
while True:
    end, _ = listener.accept()
    try:
        end.recv(1000)
        end.sendall(sys.argv[3].encode() + b"\\n")
    except OSError:
        pass
"""
"""Arguments: the run directory, the uid to become (0: none), the answer to every request.
Prints a line once it listens.
"""
