/* Keys. Every link, button or summary with data-key="g t" (and data-key-label) is reached by typing it; `?` lists them all and can
 * switch them off, `/` goes to the search field of the page, or to that of the header. Nothing happens while one types or holds
 * Ctrl, Alt or Meta.
 *
 * Rows of tables and lists of hits: j and k go to the next and the one before, by focusing its first link, so that Enter opens it as
 * it opens every link; x ticks its box, e goes to its form. */

import { element } from "./dom.js";
import { t } from "./words.js";

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
  const between = t("then");
  const parts = keys.split(" ").flatMap((key, n) => (n ? [` ${between} `, element("kbd", { text: key })] : [element("kbd", { text: key })]));
  return element("dt", {}, ...parts);
}

/** @returns {{title: string, rows: [string, string][]}[]} all keys of this page, by what they are for */
function groups() {
  /** @type {[string, string][]} */
  const named = keyed().map((node) => [node.dataset.key ?? "", node.dataset.keyLabel ?? node.textContent?.trim() ?? ""]);
  const once = named.filter(([keys], n) => named.findIndex(([other]) => other === keys) === n);
  /** @type {[string, string][]} */
  const found = [];
  if (document.querySelector("[data-palette]")) found.push(["Ctrl-K", t("Commands: go anywhere, do anything")]);
  if (searchField()) found.push(["/", document.querySelector("main input[type=search]") ? t("Search on this page") : t("Search everything")]);
  /** @type {[string, string][]} */
  const moves = [["j", t("Next row")], ["k", t("Row before")], ["Enter", t("Open the row")]];
  if (rows().some((row) => box(row))) moves.push(["x", t("Select the row")]);
  if (rows().some((row) => form(row))) moves.push(["e", t("Edit what is in the row")]);
  return [
    { title: t("Go to"), rows: once.filter(([keys]) => keys.startsWith("g ")) },
    { title: t("On this page"), rows: once.filter(([keys]) => !keys.startsWith("g ")) },
    { title: t("Rows"), rows: rows().length ? moves : [] },
    { title: t("Everywhere"), rows: [...found, ["?", t("This list")], ["Esc", t("Close what is open")]] },
  ];
}

export function showShortcuts() {
  if (document.querySelector("dialog[open]")) return;
  const lists = groups().filter((group) => group.rows.length).map(({ title, rows: all }) => {
    const list = element("dl", { class: "wb-keys" });
    for (const [keys, label] of all) list.append(showKeys(keys), element("dd", { text: label }));
    return element("section", {}, element("h3", { class: "wb-keys__group", text: title }), list);
  });
  const on = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", checked: !switchedOff() }));
  on.addEventListener("change", () => localStorage.setItem(OFF, on.checked ? "on" : "off"));
  const dialog = /** @type {HTMLDialogElement} */ (
    element(
      "dialog",
      { class: "wb-dialog wb-dialog--wide", "aria-labelledby": "wb-keys-title" },
      element(
        "form",
        { method: "dialog" },
        element(
          "div",
          { class: "wb-dialog__body" },
          element("h2", { id: "wb-keys-title", text: t("Keyboard shortcuts") }),
          element("div", { class: "wb-keys__columns" }, ...lists),
          element("label", { class: "wb-check" }, on, element("span", { text: t("Shortcuts are on") })),
        ),
        element("div", { class: "wb-dialog__acts" }, element("button", { class: "btn", text: t("Close") })),
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

/** @returns {HTMLElement[]} the rows of this page that lead somewhere */
function rows() {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main tbody tr, main .wb-hit")]);
  return all.filter((row) => place(row) && row.checkVisibility());
}

/** @param {Element} row @returns {HTMLElement|null} what of a row has the focus while it is the current one */
function place(row) {
  return row.querySelector("a[href]:not([tabindex='-1'])");
}

/** @param {Element} row @returns {HTMLInputElement|null} */
function box(row) {
  return row.querySelector("input[type=checkbox]:not([disabled])");
}

/** @param {Element} row @returns {HTMLElement|null} the way to the form of what a row shows */
function form(row) {
  return row.querySelector("a[href$='/edit']");
}

/** @param {string} key @returns {boolean} whether the key was one of those for rows */
function moveRows(key) {
  const all = rows();
  const now = all.findIndex((row) => row.contains(document.activeElement));
  if (key === "j" || key === "k") {
    if (!all.length) return false;
    const next = now < 0 ? (key === "j" ? 0 : all.length - 1) : Math.min(Math.max(now + (key === "j" ? 1 : -1), 0), all.length - 1);
    place(all[next])?.focus();
    all[next].scrollIntoView({ block: "nearest" });
    return true;
  }
  if (now < 0) return false;
  if (key === "x" && box(all[now])) {
    box(all[now])?.click();
    return true;
  }
  if (key === "e" && form(all[now])) {
    form(all[now])?.click();
    return true;
  }
  return false;
}

/** @returns {HTMLElement|null} */
function searchField() {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main input[type=search]:not([disabled]), .wb-find__field")]);
  return [...all.filter((field) => field.closest("main")), ...all].find((field) => field.checkVisibility()) ?? null;
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
  const isSequence = event.timeStamp - typedAt < SEQUENCE_MS && keyed().some((one) => one.dataset.key?.startsWith(`${typed} `));
  if (!isSequence && moveRows(event.key)) {
    event.preventDefault();
    return;
  }
  typed = isSequence ? `${typed} ${event.key}` : event.key;
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
