"""Benchmarks: the real mesh on this machine beside the bare thing it is built from, both in one run, so that the ratio says something.

`python -m bench stream|sync|audit` prints a table and, as its last line, the same figures as JSON. Absolute times vary between machines
and minutes; ratios are what is tracked.
"""
