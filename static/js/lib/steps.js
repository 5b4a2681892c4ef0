/* The rows of steps in the form of a task: added, moved and removed in place. Without this the server does the same. */

import { t } from "./words.js";

/** @param {HTMLElement} list @returns {HTMLElement[]} */
function rows(list) {
  return [...list.querySelectorAll("[data-step]")].map((row) => /** @type {HTMLElement} */ (row));
}

/**
 * Give every row its number and its ids, and take away what cannot be pressed.
 * @param {HTMLElement} list
 */
function renumber(list) {
  const all = rows(list);
  for (const [index, row] of all.entries()) {
    for (const place of row.querySelectorAll("[data-step-number]")) place.textContent = String(index + 1);
    for (const control of row.querySelectorAll("input, textarea, select")) {
      const id = `step-${index + 1}-${control.getAttribute("name")?.replace("step_", "")}`;
      row.querySelector(`label[for="${control.id}"]`)?.setAttribute("for", id);
      control.id = id;
    }
    for (const button of row.querySelectorAll("button")) {
      const verb = button.dataset.stepAct;
      button.disabled = (verb === "up" && index === 0) || (verb === "down" && index === all.length - 1);
    }
  }
}

/** @param {HTMLElement} row */
function empty(row) {
  row.classList.remove("wb-step--wrong");
  for (const control of row.querySelectorAll("input, textarea")) /** @type {HTMLInputElement} */ (control).value = "";
  for (const choice of row.querySelectorAll("select")) choice.selectedIndex = 0;
}

/** @param {HTMLElement} list */
function add(list) {
  const all = rows(list);
  const made = /** @type {HTMLElement} */ (all[all.length - 1].cloneNode(true));
  empty(made);
  list.append(made);
  renumber(list);
  /** @type {HTMLElement|null} */ (made.querySelector("[name=step_name]"))?.focus();
  return t("Step %(number)s added.", { number: all.length + 1 });
}

/** @param {HTMLElement} list @param {HTMLElement} row */
function remove(list, row) {
  const all = rows(list);
  const place = all.indexOf(row);
  if (all.length === 1) empty(row);
  else row.remove();
  renumber(list);
  const next = rows(list)[Math.min(place, all.length - 2)] ?? rows(list)[0];
  /** @type {HTMLElement|null} */ (next.querySelector("[name=step_name]"))?.focus();
  return t("Step %(number)s removed.", { number: place + 1 });
}

/** @param {HTMLElement} list @param {HTMLElement} row @param {HTMLButtonElement} button */
function move(list, row, button) {
  const verb = button.dataset.stepAct;
  const other = verb === "up" ? row.previousElementSibling : row.nextElementSibling;
  if (verb === "up") other?.before(row);
  else other?.after(row);
  renumber(list);
  // The button that was pressed may be off now that the row stands at an end.
  const kept = button.disabled ? row.querySelector("button:not([disabled])") : button;
  /** @type {HTMLElement|null} */ (kept)?.focus();
  return t("Moved to place %(place)s of %(all)s.", { place: rows(list).indexOf(row) + 1, all: rows(list).length });
}

/**
 * Let the buttons of the rows work in place.
 * @param {HTMLFormElement} form
 */
export function editSteps(form) {
  const found = form.querySelector("[data-steps]");
  if (!(found instanceof HTMLElement)) return;
  /** @type {HTMLElement} */
  const list = found;
  form.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[data-step-act]") : null;
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault();
    const row = button.closest("[data-step]");
    let said = "";
    if (!(row instanceof HTMLElement)) said = add(list);
    else said = button.dataset.stepAct === "remove" ? remove(list, row) : move(list, row, button);
    const place = form.querySelector("[data-step-said]");
    if (place) place.textContent = said;
    // Whoever watches what is typed hears of it.
    list.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
