/* Where the server stands on its host: at the top, or below the path that a proxy has given it. */

/** The beginning of every address of this server, "" at the top. */
export function root() {
  return document.documentElement.dataset.root ?? "";
}

/** The path of an address of this server as the server sees it, by default that of this page. */
export function path(address = location.href) {
  const { pathname } = new URL(address, location.href);
  const above = root();
  return above && pathname.startsWith(`${above}/`) ? pathname.slice(above.length) : pathname;
}
