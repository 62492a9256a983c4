"""A process whose parent was killed ends, though its own threads wait for somebody who will never answer."""

import os
import select
import subprocess
import sys

_CHILD = """
import os, threading
from engine.parent import end_with
end_with(os.getppid())
print("waits", flush=True)
threading.Event().wait()
"""
_PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
WAIT_S = 60.0


def test_a_process_ends_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, _CHILD], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"waits\n"
        assert not select.select([parent.stdout], [], [], 2.5)[0], "it stays while its parent does"
        parent.kill()
        assert select.select([parent.stdout], [], [], WAIT_S)[0] and os.read(parent.stdout.fileno(), 1) == b"", "its end closes the pipe"
