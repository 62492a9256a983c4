"""Whether an engine may be asked: crash, hang, slow and wrong are found, isolated, and readmitted on probation."""
