"""Reports about another message: bounces, receipts, complaints, our own notices, Postfix's log."""
