"""`make faults-llm`: kill engines and services, spoil transfers, go away in the middle, and compare every token with an undisturbed oracle.

`campaign` is the story; `plan` what is asked and killed (seeded), `load` who asks, `inject` how a process is killed, `table` on what mesh,
`oracle` what is right, `held` what the engines still hold, `state` where a campaign goes on; `shims` are the models of engines that spoil
transfers on purpose. `plan` and `verdict` are pure.
"""
