"""Pull-request quality: checklists, test manifests and compliance reports. Comes in a later issue."""
