"""What Postfix's log says about deliveries, followed and marked in the timeline."""
