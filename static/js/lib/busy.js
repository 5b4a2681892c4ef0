/* A form that has been sent says so, and is not sent a second time by whoever presses again.
 *
 * <button data-busy="Importing…">   what the button says meanwhile; without it only its mark turns
 * <button data-file>                it is answered with a file, after which the page is still here
 * A question that is asked first (dialog.js) and a check of the browser's come before this: only what really leaves counts. */

import { icon } from "./dom.js";

/** Forms under way, each with what puts its button back. @type {Map<HTMLFormElement, () => void>} */
const underway = new Map();

/** @param {HTMLElement} button @returns {() => void} */
function show(button) {
  const words = button.dataset.busy;
  const label = button.querySelector("span:not(.wb-hidden)") ?? null;
  const before = (label ?? button).textContent ?? "";
  const mark = icon("running");
  mark.classList.add("wb-busy__mark");
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  if (words && label) label.textContent = words;
  button.prepend(mark);
  return () => {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
    mark.remove();
    if (words && label) label.textContent = before;
  };
}

/** @param {HTMLFormElement} form @param {HTMLElement|null} button */
function begin(form, button) {
  const shown = button ?? /** @type {HTMLElement|null} */ (form.querySelector("button[type=submit]:not([tabindex='-1'])"));
  underway.set(form, shown ? show(shown) : () => {});
}

/** Let every form be sent again: the page was left with one under way and has come back as it was. */
function reset() {
  for (const restore of underway.values()) restore();
  underway.clear();
}

export function startBusy() {
  // At the window, behind whoever may still say no.
  addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "post" || event.defaultPrevented) return;
    if (underway.has(form)) {
      event.preventDefault();
      return;
    }
    const { submitter } = /** @type {SubmitEvent} */ (event);
    // Nothing tells a page that what it has asked for was put into a file.
    if (!submitter?.hasAttribute("data-file")) begin(form, submitter);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) reset();
  });
}
