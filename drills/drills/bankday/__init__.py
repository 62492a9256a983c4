"""`make run`: a compressed day of a bank through the real mesh, and the proof that nothing was lost on the way.

`run` is the story; `workload` what is sent, `strays` who sends besides simbank's producer and core bank, `conclude` asks
`drills.checks` for the verdict, `live` and `summary` are what a person sees.
"""
