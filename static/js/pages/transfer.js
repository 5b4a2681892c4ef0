/* Choosing what is imported: all at once, and how many that are. */

import { tn } from "../lib/words.js";

/** @returns {HTMLInputElement[]} */
function picks() {
  return /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("input[data-pick]")]);
}

const all = document.querySelector("[data-pick-all]");
const box = all?.querySelector("input");
const count = document.querySelector("[data-pick-count]");

function tell() {
  const boxes = picks();
  const chosen = boxes.filter((one) => one.checked).length;
  if (count) count.textContent = tn("%(num)s of %(all)s ticked", "%(num)s of %(all)s ticked", chosen, { all: boxes.length });
  if (!box) return;
  box.checked = chosen === boxes.length;
  box.indeterminate = chosen > 0 && chosen < boxes.length;
}

if (all instanceof HTMLElement && box) {
  all.hidden = false;
  box.addEventListener("change", () => {
    for (const one of picks()) one.checked = box.checked;
    tell();
  });
  document.getElementById("offers")?.addEventListener("change", tell);
  tell();
}
