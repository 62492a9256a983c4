"""The recipe of the specialist that reads OTC inquiries: generated data, a small decoder, its evaluation."""
