/* The form of an order to devices: searching, choosing and showing the values of a template work in place. */

import { actInPlace } from "../lib/acts.js";

const PARTS = ["what", "where", "devices"];

/** @param {HTMLFormElement} form */
function start(form) {
  const parts = PARTS.filter((id) => document.getElementById(id));
  const find = /** @type {HTMLButtonElement|null} */ (form.querySelector("button[data-act][value=find]"));
  actInPlace(form, parts);
  form.addEventListener("change", (event) => {
    const field = event.target instanceof Element ? event.target.closest("[data-refresh]") : null;
    if (field && find) form.requestSubmit(find);
  });
}

const form = document.getElementById("execute-form");
if (form instanceof HTMLFormElement) start(form);
