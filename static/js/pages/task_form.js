/* The form of a task: the preview beside it and what is wrong with its fields follow what is typed, and crontab lines that are
 * pasted are taken apart. */

import { element, icon, parse } from "../lib/dom.js";
import { FieldErrors } from "../lib/field_errors.js";
import { editSteps } from "../lib/steps.js";
import { toast } from "../lib/toast.js";
import { t } from "../lib/words.js";

const DELAY_MS = 300;
const TIMEOUT_MS = 10000;
/** What says nothing of the task itself. */
const BESIDE = ["preview", "step_act", "param_act", "after_act", "undo_pasted"];

/** @param {HTMLFormElement} form @param {AbortSignal} signal @returns {Promise<Document>} */
async function ask(form, signal) {
  const data = new FormData(form);
  for (const name of BESIDE) data.delete(name);
  if (form.dataset.task) data.set("task", form.dataset.task);
  const answer = await fetch(form.dataset.preview ?? "", {
    method: "POST",
    body: new URLSearchParams([...data].map(([name, value]) => [name, String(value)])),
    headers: { Accept: "text/html", "X-Requested-With": "fetch" },
    credentials: "same-origin",
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!answer.ok || answer.redirected) throw new Error(`the server answered ${answer.status}`);
  return parse(await answer.text());
}

/** @param {HTMLFormElement} form @param {string} name @returns {string} */
function read(form, name) {
  return String(new FormData(form).get(name) ?? "");
}

/** @param {HTMLFormElement} form @param {Record<string, string>} values */
function write(form, values) {
  for (const [name, value] of Object.entries(values)) {
    const control = form.elements.namedItem(name);
    if (control instanceof RadioNodeList) control.value = value;
    else if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) control.value = value;
    const folds = control instanceof Element ? control.closest("details") : null;
    if (folds && value) folds.open = true;
  }
}

/** @param {HTMLFormElement} form @param {Record<string, string>} before @param {() => void} then */
function undo(form, before, then) {
  write(form, { ...before, as_typed: "1" });
  for (const note of document.querySelectorAll("[data-pasted-note]")) note.remove();
  form.querySelector("[name=cron]")?.dispatchEvent(new Event("input", { bubbles: true }));
  then();
}

/**
 * Fill the fields from lines that were pasted, and offer the way back.
 * @param {HTMLFormElement} form @param {HTMLElement} found @param {() => void} look
 */
function takePasted(form, found, look) {
  if (!found.dataset.pasted) return;
  const changes = /** @type {Record<string, string>} */ (JSON.parse(found.dataset.pasted));
  const before = Object.fromEntries(Object.keys(changes).map((name) => [name, read(form, name)]));
  write(form, changes);
  const words = found.querySelector(".wb-notice__text")?.firstChild?.textContent?.trim() ?? "";
  const back = () => undo(form, before, look);
  const button = () => element("button", { class: "wb-link-button", type: "button", text: t("Undo"), on: { click: back } });
  const note = element(
    "div",
    { class: "wb-notice wb-tone-info", role: "status", "data-pasted-note": true },
    icon("info"),
    element("div", { class: "wb-notice__text" }, words, " ", button()),
  );
  for (const old of document.querySelectorAll("[data-pasted-note]")) old.remove();
  // The notice stays where the fields are, also when the preview goes on to something else.
  found.querySelector(".wb-notice")?.remove();
  form.prepend(note);
  if (note.getBoundingClientRect().bottom < 0) toast(words, { kind: "info", action: button() });
}

/** @param {Document} answer */
function showWords(answer) {
  const rule = document.getElementById("retry-rule");
  const text = answer.getElementById("retry-rule")?.textContent ?? "";
  // The same words are not put there again: a screen reader would read them again.
  if (rule && text && rule.textContent !== text) rule.textContent = text;
  for (const told of answer.querySelectorAll("#how-words [data-how]")) {
    const place = document.querySelector(`[data-how-words="${told.getAttribute("data-how")}"]`);
    if (place && place.textContent !== told.textContent) place.textContent = told.textContent;
  }
}

/** @param {Document} answer @returns {Map<string, string>} */
function problemsOf(answer) {
  const told = /** @type {HTMLElement[]} */ ([...answer.querySelectorAll("#field-problems [data-field]")]);
  return new Map(told.map((one) => [one.dataset.field ?? "", one.textContent ?? ""]));
}

/** @param {HTMLFormElement} form @param {HTMLElement} place */
function follow(form, place) {
  let timer = 0;
  let running = new AbortController();
  const errors = new FieldErrors(form, { kind: "kind", steps: "steps", parameters: "parameters" });
  /** @type {Map<string, string>} */
  let problems = new Map();
  let isFresh = false;
  let typed = 0;

  async function look() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const asked = typed;
    try {
      const answer = await ask(form, signal);
      const found = answer.getElementById("preview-content");
      // What has been typed meanwhile is asked about next; of what was there before nothing is said any more.
      if (signal.aborted || !found || asked !== typed) return;
      problems = problemsOf(answer);
      isFresh = true;
      const shown = document.importNode(found, true);
      takePasted(form, shown, soon);
      place.replaceChildren(shown);
      showWords(answer);
      errors.show(problems);
      place.classList.remove("wb-preview--old");
    } catch {
      // A newer look has taken over, or the server does not answer: saving will say what is wrong.
      if (!signal.aborted) place.classList.add("wb-preview--old");
    }
  }

  function soon(delay = DELAY_MS) {
    isFresh = false;
    clearTimeout(timer);
    timer = setTimeout(look, delay);
  }

  form.addEventListener("input", () => {
    typed += 1;
    soon();
  });
  form.addEventListener("paste", () => soon(0));
  form.addEventListener("focusout", () => {
    if (isFresh) errors.show(problems);
    else soon(0);
  });
  if (!place.querySelector(".wb-preview__sentence, .wb-preview__problems, [data-pasted]") && read(form, "cron")) soon(0);
}

/** Whoever goes on typing in a field of which two people have changed wants what is typed. @param {HTMLFormElement} form */
function keepMine(form) {
  form.addEventListener("input", (event) => {
    const name = event.target instanceof Element ? (event.target.getAttribute("name") ?? "") : "";
    const field = name.startsWith("step_") ? "steps" : name.startsWith("param_") ? "parameters" : name;
    for (const mine of document.querySelectorAll("input[data-covers][value=mine]")) {
      const covers = mine.getAttribute("data-covers")?.split(" ") ?? [];
      if (mine instanceof HTMLInputElement && covers.includes(field)) mine.checked = true;
    }
  });
}

const form = document.getElementById("task-form");
const place = document.getElementById("preview");
if (form instanceof HTMLFormElement && place) {
  follow(form, place);
  keepMine(form);
  editSteps(form);
}
