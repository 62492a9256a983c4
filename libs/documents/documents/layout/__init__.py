"""From text with places to reading order: tables, columns, lines, paragraphs. The same for pages of PDFs and for recognised images."""
