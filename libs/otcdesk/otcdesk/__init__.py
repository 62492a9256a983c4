"""OTC inquiries: what a client's words mean, field by field, whoever read them."""
