"""What is kept for how long: contents of reports, and attempts. What is known of tests is kept for ever."""
