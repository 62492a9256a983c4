"""The OpenAI API in terms of the router's: what is asked, what is answered, and how it fails. Pure."""
