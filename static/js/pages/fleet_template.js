/* The editor of a job template: its two views switch in place, and how its document is understood follows what is typed. */

import { actInPlace, send } from "../lib/acts.js";
import { numberLines } from "../lib/source.js";

const DELAY_MS = 400;

/** @param {HTMLFormElement} form @param {HTMLElement} panel */
function follow(form, panel) {
  let timer = 0;
  let running = new AbortController();
  let source = numberLines(form);

  async function look() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    try {
      const page = await send(form, null, form.dataset.check, signal);
      const found = page.getElementById("checked");
      if (signal.aborted || !found) return;
      panel.replaceChildren(...document.importNode(found, true).childNodes);
      panel.classList.remove("wb-trial--old");
      source?.mark((found.dataset.lines ?? "").split(" ").filter(Boolean).map(Number));
      const text = form.querySelector("#document");
      if (text instanceof HTMLTextAreaElement) text.toggleAttribute("aria-invalid", false);
      if (text instanceof HTMLTextAreaElement && panel.querySelector(".wb-problem")) text.setAttribute("aria-invalid", "true");
    } catch {
      // A newer look has taken over, or the server does not answer: saving will say what is wrong.
      if (!signal.aborted) panel.classList.add("wb-trial--old");
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(look, DELAY_MS);
  }

  form.addEventListener("input", soon);
  actInPlace(form, ["editor"], () => {
    source = numberLines(form);
    look();
  });
  panel.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("[data-line]") : null;
    if (!(link instanceof HTMLElement) || !source) return;
    event.preventDefault();
    source.show(Number(link.dataset.line));
  });
  look();
}

const form = document.getElementById("template-form");
const panel = document.getElementById("panel");
if (form instanceof HTMLFormElement && panel) follow(form, panel);
