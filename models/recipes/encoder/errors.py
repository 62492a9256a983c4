"""Why something does not become an encoder."""


class EncoderError(ValueError):
    """The message names the file or field and what is wrong with it."""
