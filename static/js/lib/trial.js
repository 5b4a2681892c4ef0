/* What a form would lead to, and what is wrong with its fields, follow what is typed.
 *
 * <form data-preview="URL">     what it holds is sent there; the answer has #trial-content, and #field-problems with an
 *                               [data-field=name] for each field that is wrong */

import { parse } from "./dom.js";
import { FieldErrors } from "./field_errors.js";

const DELAY_MS = 300;
const TIMEOUT_MS = 10000;

/** @param {HTMLFormElement} form @param {AbortSignal} signal @returns {Promise<Document>} */
async function ask(form, signal) {
  const data = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
  const answer = await fetch(form.dataset.preview ?? "", {
    method: "POST",
    body: new URLSearchParams(data),
    headers: { Accept: "text/html", "X-Requested-With": "fetch" },
    credentials: "same-origin",
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!answer.ok || answer.redirected) throw new Error(`the server answered ${answer.status}`);
  return parse(await answer.text());
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement} place where it stands what the form would lead to
 * @param {(form: HTMLFormElement) => boolean} isBegun whether there is something to look at from the beginning
 */
export function follow(form, place, isBegun) {
  const errors = new FieldErrors(form, {});
  let timer = 0;
  let running = new AbortController();
  /** @type {Map<string, string>} */
  let problems = new Map();
  let isFresh = false;

  async function look() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    try {
      const answer = await ask(form, signal);
      const found = answer.getElementById("trial-content");
      if (signal.aborted || !found) return;
      const told = /** @type {HTMLElement[]} */ ([...answer.querySelectorAll("#field-problems [data-field]")]);
      problems = new Map(told.map((one) => [one.dataset.field ?? "", one.textContent ?? ""]));
      isFresh = true;
      errors.show(problems);
      place.classList.toggle("wb-trial--old", problems.size > 0);
      if (!problems.size) place.replaceChildren(...document.importNode(found, true).childNodes);
    } catch {
      // A newer look has taken over, or the server does not answer: saving will say what is wrong.
      if (!signal.aborted) place.classList.add("wb-trial--old");
    }
  }

  function soon(delay = DELAY_MS) {
    isFresh = false;
    clearTimeout(timer);
    timer = setTimeout(look, delay);
  }

  form.addEventListener("input", () => soon());
  form.addEventListener("focusout", () => {
    if (isFresh) errors.show(problems);
    else soon(0);
  });
  if (isBegun(form)) soon(0);
}
