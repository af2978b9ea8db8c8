"""How mail is written: header values, charsets, encodings, MIME. Nobody is known here."""
