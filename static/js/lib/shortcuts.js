/* Keys. Every link, button or summary with data-key="g t" (and data-key-label) is reached by typing it; `?` lists them all and can
 * switch them off, `/` goes to the first search field. Nothing happens while one types or holds Ctrl, Alt or Meta. */

import { element } from "./dom.js";

const OFF = "watchbell.shortcuts";
const SEQUENCE_MS = 1200;

let typed = "";
let typedAt = 0;

/** @returns {boolean} */
function switchedOff() {
  try {
    return localStorage.getItem(OFF) === "off";
  } catch (refused) {
    // A browser that keeps nothing for this site has nothing switched off either.
    if (refused instanceof DOMException) return false;
    throw refused;
  }
}

/** @returns {HTMLElement[]} */
function keyed() {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-key]")]);
  return all.filter((node) => !(node instanceof HTMLButtonElement && node.disabled));
}

/** @param {HTMLElement} node */
function reach(node) {
  node.focus();
  node.click();
}

/** @param {string} keys */
function showKeys(keys) {
  const parts = keys.split(" ").flatMap((key, n) => (n ? [" then ", element("kbd", { text: key })] : [element("kbd", { text: key })]));
  return element("dt", {}, ...parts);
}

export function showShortcuts() {
  if (document.querySelector("dialog[open]")) return;
  const list = element("dl", { class: "wb-keys" });
  const rows = [...keyed().map((node) => [node.dataset.key ?? "", node.dataset.keyLabel ?? node.textContent?.trim() ?? ""])];
  if (searchField()) rows.push(["/", "Search on this page"]);
  rows.push(["?", "This list"], ["Esc", "Close what is open"]);
  for (const [keys, label] of rows) list.append(showKeys(keys), element("dd", { text: label }));
  const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", checked: !switchedOff() }));
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "on" : "off"));
  const dialog = /** @type {HTMLDialogElement} */ (
    element(
      "dialog",
      { class: "wb-dialog", "aria-labelledby": "wb-keys-title" },
      element(
        "form",
        { method: "dialog" },
        element(
          "div",
          { class: "wb-dialog__body" },
          element("h2", { id: "wb-keys-title", text: "Keyboard shortcuts" }),
          list,
          element("label", { class: "wb-check" }, box, element("span", { text: "Shortcuts are on" })),
        ),
        element("div", { class: "wb-dialog__acts" }, element("button", { class: "btn", text: "Close" })),
      ),
    )
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @returns {HTMLElement|null} */
function searchField() {
  return document.querySelector("main input[type=search]:not([disabled])");
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.key.length !== 1) return;
  const at = event.target;
  if (at instanceof HTMLElement && (at.isContentEditable || at.closest("input:not([type=checkbox]), textarea, select, dialog"))) return;
  if (event.key === "?") {
    event.preventDefault();
    showShortcuts();
    return;
  }
  if (switchedOff()) return;
  if (event.key === "/") {
    const field = searchField();
    if (field) {
      event.preventDefault();
      field.focus();
    }
    return;
  }
  typed = event.timeStamp - typedAt < SEQUENCE_MS && typed ? `${typed} ${event.key}` : event.key;
  typedAt = event.timeStamp;
  const node = keyed().find((one) => one.dataset.key === typed) ?? keyed().find((one) => one.dataset.key === event.key);
  if (!node) return;
  event.preventDefault();
  typed = "";
  reach(node);
}

export function startShortcuts() {
  document.addEventListener("keydown", onKey);
  for (const button of document.querySelectorAll("[data-shortcuts]")) {
    if (!(button instanceof HTMLElement)) continue;
    button.hidden = false;
    button.addEventListener("click", showShortcuts);
  }
}
