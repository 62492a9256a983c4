"""What tests of several services need: servers in process, captured spans and log lines. Nothing here replaces logic under test."""
