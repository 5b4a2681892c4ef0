"""An OpenID provider of its own process, on Authlib's server side: ``python -m tests.openid_provider PORT_FILE``.

It knows one client, asks for PKCE, and logs in whoever the query, or a browser's cookie, names as ``user``, a JSON object of
claims, since nobody is there to type a password. ``twist`` in that object makes it sign what it must not: another issuer, audience, nonce or key.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.parse import unquote

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

CLIENT_ID, CLIENT_SECRET = "watchbell", "a secret of the client"
KEYS = [RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"}) for name in ("right", "wrong")]


class Client(ClientMixin):
    """The one client."""

    def get_client_id(self):
        return CLIENT_ID

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri.endswith("/login/provider/callback")

    def check_client_secret(self, client_secret):
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


class Code:
    """A code that was given out, with what it was asked for with."""

    def __init__(self, code, asked, user):
        self.code, self.user, self.nonce = code, user, asked.get("nonce")
        self.redirect_uri, self.scope = asked["redirect_uri"], asked["scope"]
        self.code_challenge = asked.get("code_challenge")
        self.code_challenge_method = asked.get("code_challenge_method")

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


CODES: dict[str, Code] = {}


class CodeGrant(grants.AuthorizationCodeGrant):
    """Codes that are kept in memory and are good once, and an ID token with each access token."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

    def save_authorization_code(self, code, request):
        CODES[code] = Code(code, request.payload.data, request.user)

    def query_authorization_code(self, code, client):
        return CODES.get(code)

    def delete_authorization_code(self, authorization_code):
        del CODES[authorization_code.code]

    def authenticate_user(self, authorization_code):
        return authorization_code.user


def id_token(code: Code, issuer: str) -> str:
    claims = {key: value for key, value in code.user.items() if key != "twist"}
    twist = code.user.get("twist", {})
    now = int(time.time())
    said = {
        "iss": issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "auth_time": now, "nonce": code.nonce,
        **claims, **{key: value for key, value in twist.items() if key not in {"key", "alg"}},
    }  # fmt: skip
    said = {key: value for key, value in said.items() if value is not None}
    if twist.get("alg") == "HS256":
        return jwt.encode({"alg": "HS256"}, said, OctKey.import_key(CLIENT_SECRET * 2), algorithms=["HS256"])
    key = KEYS[1] if twist.get("key") == "wrong" else KEYS[0]
    return jwt.encode({"alg": "RS256", "kid": "right", "typ": "JWT"}, said, key)


def make_app() -> Flask:
    app = Flask(__name__)
    app.secret_key = "of no use"
    server = AuthorizationServer(app, query_client=lambda name: Client() if name == CLIENT_ID else None)
    server.save_token = lambda token, request: token.update(
        id_token=id_token(request.authorization_code, request_issuer())
    )
    server.register_grant(CodeGrant, [CodeChallenge(required=True)])

    def request_issuer() -> str:
        return request.host_url.rstrip("/")

    @app.get("/.well-known/openid-configuration")
    def about():
        root = request_issuer()
        return jsonify(
            issuer=root,
            authorization_endpoint=f"{root}/authorize",
            token_endpoint=f"{root}/token",
            jwks_uri=f"{root}/keys",
            id_token_signing_alg_values_supported=["RS256", "HS256", "none"],
            token_endpoint_auth_methods_supported=["client_secret_basic"],
        )

    # Providers below these names send the server on, the one at once, the other when it comes with a code.
    @app.get("/moved/.well-known/openid-configuration")
    @app.post("/sends-on/token")
    def send_on():
        return redirect("/followed", 307)

    @app.get("/sends-on/.well-known/openid-configuration")
    def about_sending_on():
        root = request_issuer()
        here = f"{root}/sends-on"
        return jsonify(
            issuer=here,
            authorization_endpoint=f"{root}/authorize",
            token_endpoint=f"{here}/token",
            jwks_uri=f"{root}/keys",
        )

    followed = []

    @app.route("/followed", methods=["GET", "POST"])
    def follow():
        followed.append(request.method)
        return jsonify({})

    @app.get("/how-often-followed")
    def how_often_followed():
        return str(len(followed))

    @app.get("/keys")
    def keys():
        return jsonify(KeySet([KEYS[0]]).as_dict(private=False))

    @app.get("/authorize")
    def authorize():
        user = json.loads(request.args.get("user") or unquote(request.cookies["user"]))
        if user.get("denies"):
            back = f"{request.args['redirect_uri']}?error=access_denied&state={request.args['state']}"
            return redirect(f"{back}&error_description=%3Cb%3Enot+you%3C%2Fb%3E")
        grant = server.get_consent_grant(end_user=user)
        return server.create_authorization_response(grant=grant, grant_user=user)

    @app.post("/token")
    def token():
        return server.create_token_response()

    return app


class Quiet(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        pass


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, make_app(), threaded=True, request_handler=Quiet)
    place = Path(sys.argv[1])
    place.with_suffix(".new").write_text(str(server.server_port))
    place.with_suffix(".new").rename(place)
    server.serve_forever()
