"""`python -m toy`."""

from meshkit.service import run

from toy.main import main

if __name__ == "__main__":
    run(main())
