"""What operators see of the queues and do to them, the same for the worker's HTTP, the command line and the pages."""
