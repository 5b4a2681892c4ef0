/* The theme can be chosen here as well as in the header, and typing a zone means that it is the one.
 *
 * <p data-theme-note hidden> with [data-theme-set=light|dark|system]   shown only with scripts */

import { setTheme, theme } from "../lib/theme.js";

const note = document.querySelector("[data-theme-note]");

function show() {
  for (const button of document.querySelectorAll("[data-theme-set]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-theme-set") === theme()));
  }
}

if (note instanceof HTMLElement) {
  note.hidden = false;
  note.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-theme-set]") : null;
    if (button) setTheme(button.getAttribute("data-theme-set") ?? "system");
  });
  document.addEventListener("watchbell:theme", show);
  show();
}

document.querySelector("input[name=zone]")?.addEventListener("input", () => {
  const picked = document.querySelector("input[name=choice][value=picked]");
  if (picked instanceof HTMLInputElement) picked.checked = true;
});
