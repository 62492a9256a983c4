"""OTC inquiries: fields, the specialist model's own text, the instrument master."""
