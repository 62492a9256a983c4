"""`python -m gateway`."""

import asyncio

from gateway.main import main

if __name__ == "__main__":
    asyncio.run(main())
