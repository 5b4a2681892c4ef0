/* Ages that stay true while the page is open. The texts are those of templates/_macros/time.html.
 *
 * <time datetime data-relative title="exact time with zone">   "3 min ago", "in 2 h"
 * <time datetime data-elapsed>                                 "12 s", "1 min 05 s": time passed since then
 * <html data-now>                                              the server's clock, because the reader's may be wrong */

let offset = 0;

/** @returns {number} the server's clock in milliseconds */
export function serverNow() {
  return Date.now() + offset;
}

/**
 * @param {number} seconds
 * @returns {string} one unit: 2 s, 5 min, 3 h, 2 d
 */
export function age(seconds) {
  const n = Math.max(seconds, 0);
  if (n < 60) return `${Math.floor(n)} s`;
  if (n < 3600) return `${Math.floor(n / 60)} min`;
  if (n < 172800) return `${Math.floor(n / 3600)} h`;
  return `${Math.floor(n / 86400)} d`;
}

/**
 * @param {number} seconds
 * @returns {string} two units from a minute on: 12 s, 1 min 05 s, 2 h 03 min, 3 d 4 h
 */
export function span(seconds) {
  const n = Math.max(seconds, 0);
  const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, "0");
  if (n < 60) return `${Math.floor(n)} s`;
  if (n < 3600) return `${Math.floor(n / 60)} min ${two(n % 60)} s`;
  if (n < 172800) return `${Math.floor(n / 3600)} h ${two((n % 3600) / 60)} min`;
  return `${Math.floor(n / 86400)} d ${Math.floor((n % 86400) / 3600)} h`;
}

/**
 * @param {number} seconds from now; negative is past
 * @returns {string}
 */
export function relative(seconds) {
  if (seconds > 0.5) return `in ${age(seconds)}`;
  if (seconds > -1) return "now";
  return `${age(-seconds)} ago`;
}

/** @param {ParentNode} [root] */
export function refreshTimes(root = document) {
  const now = serverNow();
  for (const node of root.querySelectorAll("time[data-relative], time[data-elapsed]")) {
    const seconds = (Date.parse(node.getAttribute("datetime") ?? "") - now) / 1000;
    if (Number.isNaN(seconds)) continue;
    const text = node.hasAttribute("data-elapsed") ? span(-seconds) : relative(seconds);
    if (node.textContent !== text) node.textContent = text;
  }
}

export function startTime() {
  const served = Date.parse(document.documentElement.dataset.now ?? "");
  // A page from the back-forward cache or a slow line makes small differences; only a wrong clock makes large ones.
  if (!Number.isNaN(served) && Math.abs(served - Date.now()) > 3000 && performance.now() < 20000) offset = served - Date.now();
  refreshTimes();
  setInterval(() => {
    if (!document.hidden) refreshTimes();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refreshTimes();
  });
}
