"""``python -m audit``."""

import asyncio

from audit.main import main

if __name__ == "__main__":
    asyncio.run(main())
