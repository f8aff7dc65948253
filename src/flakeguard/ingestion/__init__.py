"""Upload → storage → queue → rows: nothing that was accepted can be half there."""
