/* The scheduler's log goes on while the page is open.
 *
 * <pre data-log="URL of log.json" data-log-offset="N" data-log-lines="200">   what is written after the offset is added
 * <label data-log-follow hidden><input type="checkbox"></label>               whether the view stays at the end
 *
 * Scrolling up lets go, scrolling back to the end follows again. */

import { element } from "../lib/dom.js";
import { get, poll } from "../lib/live.js";

const EVERY_MS = 2000;
/** Lines beyond this are taken away at the top, so that a page left open over night stays small. */
const MOST_LINES = 5000;
const NEAR_END_PX = 24;

/**
 * @typedef {{level: string, text: string}} Line
 * @typedef {{lines: Line[], offset: number, fresh: boolean}} Part
 */

/** @param {Line} line */
function row(line) {
  return element("span", { class: `wb-log__line wb-log__line--${line.level.toLowerCase()}`, text: `${line.text}\n` });
}

/** @param {HTMLElement} log @param {HTMLInputElement|null} follow */
function startLog(log, follow) {
  const url = new URL(log.dataset.log ?? "", location.href);
  let offset = Number(log.dataset.logOffset) || 0;

  const following = () => follow?.checked ?? true;
  const toEnd = () => log.scrollTo({ top: log.scrollHeight });
  toEnd();

  let last = log.scrollTop;
  log.addEventListener("scroll", () => {
    if (!follow) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    if (log.scrollTop < last && !atEnd) follow.checked = false;
    else if (atEnd) follow.checked = true;
    last = log.scrollTop;
  });
  follow?.addEventListener("change", () => {
    if (follow.checked) toEnd();
  });

  poll(url.href, EVERY_MS, async (signal) => {
    url.searchParams.set("offset", String(offset));
    /** @type {Part} */
    const part = await (await get(url.href, { signal, accept: "application/json" })).json();
    offset = part.offset;
    if (part.fresh) log.replaceChildren();
    if (part.lines.length === 0) return;
    log.querySelector(".wb-log__none")?.remove();
    log.append(...part.lines.map(row));
    while (log.childElementCount > MOST_LINES) log.firstElementChild?.remove();
    if (following()) toEnd();
  });
}

const log = document.querySelector("[data-log]");
const label = document.querySelector("[data-log-follow]");
if (log instanceof HTMLElement) {
  const follow = label?.querySelector("input") ?? null;
  if (label instanceof HTMLElement) label.hidden = false;
  startLog(log, follow);
}
