"""Whom the fake GitHub lets in: the App by a JWT of its key, an installation by a token, to its repositories alone."""

import jwt

from .routes import Answer, Call, not_found, told
from .state import APP_ID, PERSON_TOKEN

_LONGEST_SECONDS = 660


def refused(call: Call, path: str) -> Answer | None:
    """Why not; None when it is let in, with the call's installation and repository filled in."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or call.headers.get("x-github-api-version") != "2022-11-28":
        return told(401, "Requires authentication")
    if path == "/app" or path.startswith("/app/"):
        return _refused_app(call, token)
    if path == "/user" or path.startswith("/user/"):
        return None if token == PERSON_TOKEN else told(401, "Bad credentials")
    if token not in call.state.tokens:
        return told(401, "Bad credentials")
    call.installation = call.state.tokens[token]
    return _refused_repository(call, path) if "owner" in call.path else None


def _refused_app(call: Call, token: str) -> Answer | None:
    try:
        claims = jwt.decode(token, call.state.key.public_key(), ["RS256"], options={"verify_iat": False})
    except jwt.InvalidTokenError:
        return told(401, "A JSON web token could not be decoded")
    if claims["iss"] != str(APP_ID) or claims["exp"] - claims["iat"] > _LONGEST_SECONDS:
        return told(401, "'Expiration time' claim ('exp') is too far in the future")
    return None


def _refused_repository(call: Call, path: str) -> Answer | None:
    full_name = "{owner}/{repo}".format_map(call.path)
    for one in call.state.repositories.values():
        if one.installation_id == call.installation and full_name == one.full_name:
            call.repo = one
            return None
        if full_name in one.former_names:
            moved = call.state.url + path.replace(full_name, one.full_name, 1)
            message = {
                "message": "Moved Permanently",
                "url": moved,
                "documentation_url": "https://docs.github.com/rest",
            }
            return Answer(301, message, {"location": moved})
    return not_found()
