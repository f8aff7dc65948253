"""What GitHub tells by itself: deliveries, kept and applied in one transaction."""
