"""Asking GitHub once more for deliveries that it could not hand over."""
