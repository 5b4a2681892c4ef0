/* Rows that are ticked, and the bar that does something with them.
 *
 * <table data-select-rows>      its rows have boxes named id that belong to the form #bulk; a box in the head ticks all of the page,
 *                               a click with Shift all between
 * <form id="bulk" data-bulk>    [data-bulk-count] says how many are ticked; the box named all stands for everything that matches.
 *                               Its buttons ask in a dialog, but for everything that matches: then the server asks, which knows the
 *                               names. Without scripts it asks always. */

import { element } from "./dom.js";
import { tn, t } from "./words.js";

/** @param {HTMLTableElement} table @returns {HTMLInputElement[]} */
function boxes(table) {
  return /** @type {HTMLInputElement[]} */ ([...table.querySelectorAll("tbody input[type=checkbox][name=id]")]);
}

/** @param {HTMLTableElement} table @param {HTMLFormElement} form */
function select(table, form) {
  const master = /** @type {HTMLInputElement} */ (
    element("input", { type: "checkbox", "aria-label": t("Select all rows of this page") })
  );
  const head = table.querySelector("thead th");
  (head?.querySelector(".dt-column-title") ?? head)?.replaceChildren(master);
  const count = form.querySelector("[data-bulk-count]");
  const all = /** @type {HTMLInputElement|null} */ (form.querySelector("input[name=all]"));
  const sure = /** @type {HTMLInputElement|null} */ (form.querySelector("input[name=sure]"));
  /** @type {HTMLInputElement|null} */
  let last = null;

  const tell = () => {
    const rows = boxes(table);
    const ticked = rows.filter((box) => box.checked).length;
    master.checked = rows.length > 0 && ticked === rows.length;
    master.indeterminate = ticked > 0 && ticked < rows.length;
    if (ticked === 0 && all) all.checked = false;
    const everything = all?.checked ?? false;
    if (count) count.textContent = everything ? t("Everything that matches is selected") : tn("%(num)s selected", "%(num)s selected", ticked);
    if (sure) sure.value = everything ? "" : "1";
    for (const button of form.querySelectorAll("button[data-confirm], button[data-asks]")) {
      if (!(button instanceof HTMLElement)) continue;
      // What the dialog would count and name are the ticked rows only.
      if (everything && button.dataset.confirm) {
        button.dataset.asks = button.dataset.confirm;
        delete button.dataset.confirm;
      } else if (!everything && button.dataset.asks) button.dataset.confirm = button.dataset.asks;
    }
  };

  /** @param {boolean} isOn */
  const setAll = (isOn) => {
    for (const box of boxes(table)) box.checked = isOn;
    tell();
  };
  master.addEventListener("change", () => setAll(master.checked));
  table.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.name !== "id") return;
    const rows = boxes(table);
    const [from, to] = [last ? rows.indexOf(last) : -1, rows.indexOf(box)];
    if (event.shiftKey && from >= 0) for (const between of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) between.checked = box.checked;
    last = box;
    tell();
  });
  all?.addEventListener("change", tell);
  // Rows that are read anew while one ticks stay ticked.
  /** @type {Set<string>} */
  let kept = new Set();
  const drawn = window.jQuery?.(table);
  drawn?.on("preDraw.dt", () => {
    kept = new Set(boxes(table).filter((box) => box.checked).map((box) => box.value));
  });
  drawn?.on("draw.dt", () => {
    for (const box of boxes(table)) if (kept.has(box.value)) box.checked = true;
    tell();
  });
  addEventListener("pageshow", tell);
  tell();
}

export function startSelection() {
  const form = document.querySelector("form[data-bulk]");
  const table = document.querySelector("table[data-select-rows]");
  if (form instanceof HTMLFormElement && table instanceof HTMLTableElement) select(table, form);
}
