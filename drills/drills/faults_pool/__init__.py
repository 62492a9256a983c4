"""Engines that die, hang, go slow or answer wrong under load: how soon each is isolated, and that nobody is answered wrong afterwards.

`campaign` is the whole, `plan` what is done to whom, `trouble` does it, `watch` sees when an engine is isolated, `verdict` counts.
"""
