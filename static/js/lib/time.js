/* Ages that stay true while the page is open, and the reader's zone. The texts are those of templates/_macros/time.html.
 *
 * <time datetime data-relative title="exact time with zone">   "3m ago", "in 2h"
 * <time datetime data-elapsed>                                 "12s", "1m 5s": time passed since then
 * <html data-now>                                              the server's clock, because the reader's may be wrong
 * <html data-zone="Europe/Berlin" data-zone-choice="mine">     the zone of the page; "mine" may be told by the browser
 * [data-zone-told]                                             an input that gets what the browser tells */

import { t } from "./words.js";

const COOKIE = "watchbell_zone";
const YEAR = 365 * 24 * 3600;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
/** From here on an age is a date. */
const LONGEST = 7 * DAY;

let offset = 0;

/** @returns {number} the server's clock in milliseconds */
export function serverNow() {
  return Date.now() + offset;
}

/** @param {number} seconds @returns {string} one unit from a minute on: 5m, 3h, 2d */
function amount(seconds) {
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  return seconds < DAY ? `${Math.floor(seconds / HOUR)}h` : `${Math.floor(seconds / DAY)}d`;
}

/**
 * @param {number} seconds
 * @returns {string} <1s, 12s, 1m 5s, 2h 3m
 */
export function duration(seconds) {
  const n = Math.floor(Math.max(seconds, 0));
  if (n < 1) return "<1s";
  if (n < MINUTE) return `${n}s`;
  if (n < HOUR) return `${Math.floor(n / MINUTE)}m ${n % MINUTE}s`;
  return `${Math.floor(n / HOUR)}h ${Math.floor((n % HOUR) / MINUTE)}m`;
}

/** @param {number} moment in milliseconds @returns {string} the day in the zone of the page */
function day(moment) {
  const parts = { year: "numeric", month: "2-digit", day: "2-digit" };
  const format = new Intl.DateTimeFormat("en-CA", { ...parts, timeZone: document.documentElement.dataset.zone || undefined });
  const found = Object.fromEntries(format.formatToParts(moment).map((part) => [part.type, part.value]));
  return `${found.year}-${found.month}-${found.day}`;
}

/**
 * @param {number} seconds from now; negative is past
 * @returns {string} just now, 5m ago, 2d ago, in <1m, in 5m, or a date
 */
export function relative(seconds) {
  const n = Math.abs(seconds);
  if (n >= LONGEST) return day(serverNow() + seconds * 1000);
  if (n < MINUTE) return seconds > 0 ? t("in <1m") : t("just now");
  return seconds > 0 ? t("in %(amount)s", { amount: amount(n) }) : t("%(amount)s ago", { amount: amount(n) });
}

/** @param {ParentNode} [root] */
export function refreshTimes(root = document) {
  const now = serverNow();
  for (const node of root.querySelectorAll("time[data-relative], time[data-elapsed]")) {
    const seconds = (Date.parse(node.getAttribute("datetime") ?? "") - now) / 1000;
    if (Number.isNaN(seconds)) continue;
    const text = node.hasAttribute("data-elapsed") ? duration(-seconds) : relative(seconds);
    if (node.textContent !== text) node.textContent = text;
  }
}

/** @returns {string} the zone of the reader's machine, "" where the browser does not tell */
function ownZone() {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  return ["Etc/UTC", "Etc/GMT", "GMT"].includes(name) ? "UTC" : name;
}

/** Tell the server what zone this machine is in, and see the page again in it: that happens at the first visit and after a journey. */
function tellZone() {
  const told = ownZone();
  for (const input of document.querySelectorAll("[data-zone-told]")) if (input instanceof HTMLInputElement) input.value = told;
  const { zone, zoneChoice } = document.documentElement.dataset;
  if (zoneChoice !== "mine" || !told || told === zone) return;
  const cookie = `${COOKIE}=mine:${told}`;
  // A zone that the server does not know is told once.
  if (document.cookie.split("; ").includes(cookie)) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${cookie}; path=/; max-age=${YEAR}; samesite=lax${secure}`;
  // What was sent with a form is not sent again for this, and what is told once is not lost; the next page is right.
  const mayReload = document.documentElement.dataset.zoneReload !== undefined && !document.querySelector(".wb-notice");
  if (mayReload && document.cookie.split("; ").includes(cookie)) location.reload();
}

export function startTime() {
  tellZone();
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
