/* The form of a list's filters: one that is chosen takes effect at once, and empty ones do not make the address long. */

/** @param {string} id */
export function startFilters(id) {
  const form = document.getElementById(id);
  if (!(form instanceof HTMLFormElement)) return;
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      if ((field instanceof HTMLInputElement || field instanceof HTMLSelectElement) && field.value === "") field.disabled = true;
    }
  });
  addEventListener("pageshow", () => {
    // A browser that goes back brings what was chosen after this list was made: the fields say what the list shows.
    form.reset();
    for (const field of form.elements) if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.disabled = false;
  });
}
