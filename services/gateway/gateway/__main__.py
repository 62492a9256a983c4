"""`python -m gateway`. uvloop, because two thirds of a forwarded call is the event loop's own work."""

import uvloop

from gateway.main import main

if __name__ == "__main__":
    uvloop.run(main())
