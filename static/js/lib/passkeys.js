/* Passkeys as JSON: browsers speak of them in bytes, servers in base64url. */

/** @param {string} text */
function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Return what a browser is asked with, of what the server says. @param {any} told */
export function optionsOf(told) {
  const bare = (/** @type {any[]} */ list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  return {
    ...told,
    challenge: bytes(told.challenge),
    ...(told.user ? { user: { ...told.user, id: bytes(told.user.id) } } : {}),
    ...(told.excludeCredentials ? { excludeCredentials: bare(told.excludeCredentials) } : {}),
    ...(told.allowCredentials ? { allowCredentials: bare(told.allowCredentials) } : {}),
  };
}

/** Return what the server is told of what a browser has answered. @param {any} found */
export function answerOf(found) {
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const said = names.filter((name) => found.response[name]).map((name) => [name, text(found.response[name])]);
  return { id: found.id, rawId: text(found.rawId), type: found.type, response: Object.fromEntries(said) };
}
