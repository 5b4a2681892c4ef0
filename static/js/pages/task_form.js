/* The form of a task: the preview beside it follows what is typed, and a crontab line that is pasted is taken apart. */

import { get } from "../lib/live.js";
import { parse } from "../lib/dom.js";
import { editSteps } from "../lib/steps.js";
import { toast } from "../lib/toast.js";

const DELAY_MS = 300;
/** Only what the preview looks at is sent: addresses have a limit. */
const RETRY = ["retries", "retry_backoff", "retry_delay_seconds", "retry_multiplier", "retry_max_delay_seconds"];
const RETRY_BOUNDS = ["retry_total_seconds", "retry_on", "retry_not_on"];
const WHEN = ["kind", "cron", "every", "unit", "at", "every_word", "at_time", "zone", "dst"];
const WATCHED = [...WHEN, ...RETRY, ...RETRY_BOUNDS];
const LONGEST = 6000;

/** @param {HTMLFormElement} form */
function address(form) {
  const url = new URL(form.dataset.preview ?? "", location.href);
  const data = new FormData(form);
  for (const name of WATCHED) url.searchParams.set(name, String(data.get(name) ?? "").slice(0, LONGEST));
  // A command that is there already must not be replaced by the one of a pasted line.
  url.searchParams.set("command", String(data.get("command") ?? "").slice(0, LONGEST));
  url.searchParams.set("what", String(data.get("what") ?? "command"));
  if (form.dataset.task) url.searchParams.set("task", form.dataset.task);
  return url.href;
}

/** @param {HTMLFormElement} form @param {Element} found */
function takePasted(form, found) {
  const { pastedCron, pastedCommand } = /** @type {HTMLElement} */ (found).dataset;
  const cron = form.elements.namedItem("cron");
  const command = form.elements.namedItem("command");
  if (pastedCron === undefined || !(cron instanceof HTMLTextAreaElement) || !(command instanceof HTMLTextAreaElement)) return;
  cron.value = pastedCron;
  command.value = pastedCommand ?? "";
  const preview = document.getElementById("preview");
  if (preview && preview.getBoundingClientRect().top > innerHeight) {
    toast("A crontab line: its command went to the command field.", { kind: "info" });
  }
}

/** @param {Document} answer */
function showRetries(answer) {
  const rule = document.getElementById("retry-rule");
  const text = answer.getElementById("retry-rule")?.textContent ?? "";
  // The same words are not put there again: a screen reader would read them again.
  if (rule && text && rule.textContent !== text) rule.textContent = text;
}

/** @param {HTMLFormElement} form @param {HTMLElement} place */
function follow(form, place) {
  let timer = 0;
  let running = new AbortController();
  let shown = "";

  async function look() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const url = address(form);
    if (url === shown) return;
    try {
      const answer = parse(await (await get(url, { signal })).text());
      const found = answer.getElementById("preview-content");
      if (signal.aborted || !found) return;
      shown = url;
      place.replaceChildren(document.importNode(found, true));
      showRetries(answer);
      place.classList.remove("wb-preview--old");
      takePasted(form, found);
    } catch {
      // A newer look has taken over, or the server does not answer: saving will say what is wrong.
      if (!signal.aborted) place.classList.add("wb-preview--old");
    }
  }

  form.addEventListener("input", (event) => {
    const name = event.target instanceof Element ? event.target.getAttribute("name") : "";
    if (!WATCHED.includes(name ?? "")) return;
    clearTimeout(timer);
    timer = setTimeout(look, DELAY_MS);
  });
  form.querySelector("[name=cron]")?.addEventListener("paste", () => {
    clearTimeout(timer);
    timer = setTimeout(look, 0);
  });
  if (!place.querySelector(".wb-preview__sentence, .wb-preview__problems, [data-pasted-cron]")) {
    const cron = form.elements.namedItem("cron");
    if (cron instanceof HTMLTextAreaElement && cron.value) void look();
  }
}

const form = document.getElementById("task-form");
const place = document.getElementById("preview");
if (form instanceof HTMLFormElement && place) {
  follow(form, place);
  editSteps(form);
}
