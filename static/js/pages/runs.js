/* The history of runs: a filter that is chosen from a list takes effect at once; rows are ticked and done something with. */

import { startSelection } from "../lib/selection.js";

startSelection();

const form = document.getElementById("run-filters");
if (form instanceof HTMLFormElement) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    // Empty fields would only make the address long.
    for (const field of form.elements) {
      if ((field instanceof HTMLInputElement || field instanceof HTMLSelectElement) && field.value === "") field.disabled = true;
    }
  });
  addEventListener("pageshow", () => {
    for (const field of form.elements) if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.disabled = false;
  });
}
