"""The fraud model: from any transactions file to a released version in the model repository. See README.md for the file's schema."""
