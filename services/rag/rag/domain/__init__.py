"""Pure: what documents, passages, access and rankings are."""
