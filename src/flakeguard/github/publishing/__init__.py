"""What FlakeGuard says at GitHub: the check run on a commit, and one comment in its pull request."""
