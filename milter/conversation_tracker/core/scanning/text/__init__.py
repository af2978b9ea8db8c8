"""Addresses found in one text, however they are written: apart from `masking.text`."""
