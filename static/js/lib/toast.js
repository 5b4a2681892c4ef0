/* A short message in the corner. It is read out, it stays while the pointer or focus is on it, and errors stay until closed. */

import { element, icon } from "./dom.js";
import { t } from "./words.js";

const LOOKS = { success: ["succeeded", "succeeded"], warning: ["missed", "warning"], danger: ["failed", "failed"], info: ["info", "info"] };
const SHOWN_MS = 6000;

/** @returns {HTMLElement} */
function container() {
  const found = document.querySelector(".wb-toasts");
  if (found instanceof HTMLElement) return found;
  const made = element("div", { class: "wb-toasts", role: "status", "aria-live": "polite" });
  document.body.append(made);
  return made;
}

/**
 * @param {string} text
 * @param {{kind?: "success"|"warning"|"danger"|"info", action?: Node}} [options] `action`: a link or form, such as undo
 */
export function toast(text, { kind = "info", action } = {}) {
  const [tone, mark] = LOOKS[kind];
  const close = element("button", { class: "wb-toast__close", type: "button", "aria-label": t("Close this message") }, icon("close"));
  const body = element("div", { class: "wb-notice__text" }, text, action ? " " : null, action);
  const box = element("div", { class: `wb-notice wb-tone-${tone}` }, icon(mark), body, close);
  close.addEventListener("click", () => box.remove());
  container().append(box);
  if (kind === "danger") return;
  const leave = () => {
    if (box.matches(":hover, :focus-within")) setTimeout(leave, 1000);
    else box.remove();
  };
  setTimeout(leave, SHOWN_MS);
}
