"""What tells of another message: bounces, receipts, complaints, notices of ours, Postfix's log."""
