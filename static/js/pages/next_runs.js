/* Next runs: the filters; and when the first moment has passed, the list is read anew at once instead of at its next turn. */

import { startFilters } from "../lib/filters.js";
import { get, place } from "../lib/live.js";
import { serverNow } from "../lib/time.js";

const LATER_MS = 1500;
const LONGEST_MS = 24 * 3600 * 1000;
const list = document.getElementById("next-runs");

/** @param {HTMLElement} target */
function waitForFirst(target) {
  const first = target.querySelector("tbody time[datetime]");
  const due = Date.parse(first?.getAttribute("datetime") ?? "");
  if (Number.isNaN(due)) return;
  const wait = Math.max(due - serverNow(), 0) + LATER_MS;
  if (wait > LONGEST_MS) return;
  setTimeout(async () => {
    try {
      if (!document.hidden) place(target, await (await get(location.href)).text());
    } catch {
      // The regular look of live.js says on the page that the server does not answer.
    }
    waitForFirst(target);
  }, wait);
}

if (list) waitForFirst(list);
startFilters("next-filters");
