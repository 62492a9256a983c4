"""A process that ends with the one that started it, whatever its own threads wait for.

Surprising: Triton's stub looks after its Triton itself, and yet it stays for ever, with its model in memory, when Triton is killed while a
thread of ours waits for an answer of Triton's: whether a request is cancelled, for instance.
"""

from __future__ import annotations

import os
import threading
import time

_LOOK_S = 1.0


def end_with(parent: int) -> None:
    """Look from now on whether ``parent`` is still the parent of this process; end it at once when it is not, for nobody is answered."""

    def run() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=run, name="parent", daemon=True).start()
