/* A page that loads itself anew because what it shows has gone on, and keeps what it has just said to its reader. */

import { element, icon } from "./dom.js";

const KEY = "watchbell.told";

/** @typedef {{tone: string, mark: string, text: string}} Told */

/** @param {Element} box @returns {Told} what it says in words: a button in it belongs to the page that is left */
function said(box) {
  const words = /** @type {Element|undefined} */ (box.querySelector(".wb-notice__text")?.cloneNode(true));
  for (const form of words?.querySelectorAll("form") ?? []) form.remove();
  const mark = box.querySelector("use")?.getAttribute("href") ?? "";
  return { tone: /wb-tone-(\w+)/.exec(box.className)?.[1] ?? "info", mark: mark.replace("#i-", ""), text: words?.textContent?.trim() ?? "" };
}

/** Load this page anew. */
export function loadAnew() {
  const told = [...document.querySelectorAll("[data-told]")].map(said);
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ path: location.pathname, told }));
  } catch {
    // A browser that keeps nothing for this site loses it.
  }
  location.reload();
}

/** Say again what this page had said before it loaded itself anew. */
export function startAnew() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    sessionStorage.removeItem(KEY);
  } catch {
    // Then there is nothing to say.
  }
  if (!kept || kept.path !== location.pathname) return;
  const told = /** @type {Told[]} */ (Array.isArray(kept.told) ? kept.told : []);
  const boxes = told.map(({ tone, mark, text }) => {
    const role = tone === "failed" ? "alert" : "status";
    return element("div", { class: `wb-notice wb-tone-${tone}`, role, "data-told": true }, icon(mark), element("div", { class: "wb-notice__text", text }));
  });
  document.getElementById("content")?.prepend(...boxes);
}
