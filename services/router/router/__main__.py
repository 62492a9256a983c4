"""`python -m router`."""

from meshkit.service import run

from router.main import main

if __name__ == "__main__":
    run(main())
