"""One module for each technology that a port stands on."""
