"""The command `finmesh`: talks to the gateway, as a bank does; only offline files, watching a topic and the launcher are exceptions."""
