"""Texts in which addresses are masked: HTML, links, escapes and whatever else hides an address."""
