"""Mail that proves an address: confirmation, password reset, magic links and codes."""
