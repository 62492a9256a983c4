"""`python -m inference_prefill`."""

from meshkit.service import run

from inference_prefill.main import main

if __name__ == "__main__":
    run(main())
