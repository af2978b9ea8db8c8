"""What Postfix's log says of deliveries, followed and marked in the timeline."""
