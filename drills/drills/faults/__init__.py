"""`make faults`: break the mesh again and again under load, and prove each time that nothing was lost or contradicted.

`campaign` is the story; `plan` what is broken when (seeded), `inject` and `slow` how, `table` on what mesh, `load` what is sent
meanwhile, `pulse` when decisions flow again; the verdict is `drills.checks.account`. `plan` and `pulse` are pure.
"""
