"""`python -m inference_decode`."""

from meshkit.service import run

from inference_decode.main import main

if __name__ == "__main__":
    run(main())
