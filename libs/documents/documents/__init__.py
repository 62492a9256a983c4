"""Reads documents of any format in a sandbox: text, tables, pages, headings."""
