"""`python -m gateway`."""

from meshkit.service import run

from gateway.main import main

if __name__ == "__main__":
    run(main())
