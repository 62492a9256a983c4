"""One module a subcommand: options in, words out; what is worth reusing lies one folder up."""
