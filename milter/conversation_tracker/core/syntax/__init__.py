"""How mail is written: header values, charsets, encodings, MIME. No participant is known here."""
