"""`python -m audit`."""

from meshkit.service import run

from audit.main import main

if __name__ == "__main__":
    run(main())
