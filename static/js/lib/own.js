/* What one has started oneself is told of when it ends, wherever one has gone meanwhile in this tab.
 *
 * A form that asks for a run leads to the page of that run; its number is kept for the length of the tab. */

import { element } from "./dom.js";
import { get } from "./live.js";
import { path, root } from "./place.js";
import { listen } from "./stream.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const RUNS = "watchbell.own";
const ASKED = "watchbell.asked";
/** After so long a run that is opened is not the one that was asked for. */
const ASKED_MS = 30000;
const STARTS = /^\/(tasks\/\d+\/(run|soon)|runs\/\d+\/(again|decide))$/;
const CANCELS = /^\/runs\/(\d+)\/cancel$/;

/** @type {Record<string, ["success"|"danger"|"warning"|"info", string]>} */
const ENDS = {
  job_completed: ["success", "succeeded"],
  job_failed: ["danger", "failed"],
  job_timeout: ["danger", "timed_out"],
  job_lost: ["danger", "lost"],
  job_missed: ["warning", "missed"],
  job_cancelled: ["info", "cancelled"],
  job_skipped: ["info", "skipped"],
};

/** @returns {number[]} */
function own() {
  const kept = JSON.parse(sessionStorage.getItem(RUNS) ?? "[]");
  return Array.isArray(kept) ? kept : [];
}

/** @param {number[]} runs */
function keep(runs) {
  sessionStorage.setItem(RUNS, JSON.stringify(runs.slice(-20)));
}

/** @param {string} state @returns {string} */
function words(state) {
  /** @type {Record<string, string>} */
  const all = {
    succeeded: t("succeeded"), failed: t("failed"), timed_out: t("timed out"), lost: t("lost"), missed: t("missed"), cancelled: t("cancelled"), skipped: t("skipped"),
  };
  return all[state] ?? state;
}

/** @param {number} run @param {string} name @param {"success"|"danger"|"warning"|"info"} kind @param {string} state */
function tell(run, name, kind, state) {
  if (!own().includes(run)) return;
  keep(own().filter((other) => other !== run));
  // Its own page shows it.
  if (path() === `/runs/${run}`) return;
  const link = element("a", { href: `${root()}/runs/${run}`, text: t("Show run #%(run)s", { run }) });
  toast(t("%(name)s %(state)s.", { name, state: words(state) }), { kind, action: link });
}

/** What may have ended while the page was being loaded. */
async function look() {
  const address = document.querySelector("[data-palette]")?.getAttribute("data-palette");
  if (!own().length || !address) return;
  try {
    const told = await (await get(`${address}?in=pages&run=${own().join(",")}`, { accept: "application/json" })).json();
    for (const { key, title, state } of told.known) {
      const end = Object.values(ENDS).find(([, ended]) => ended === state);
      if (end) tell(Number(key.split(":")[1]), title.replace(/^#\d+ /, ""), end[0], state);
    }
  } catch {
    // The page says elsewhere that the server does not answer, and the next connection looks again.
  }
}

export function startOwn() {
  const asked = Number(sessionStorage.getItem(ASKED));
  const run = Number(/^\/runs\/(\d+)$/.exec(path())?.[1]);
  sessionStorage.removeItem(ASKED);
  if (run && Date.now() - asked < ASKED_MS) keep([...own().filter((other) => other !== run), run]);
  document.addEventListener("submit", (event) => {
    // A question that is asked first sends the form again once it is answered.
    if (event.defaultPrevented || !(event.target instanceof HTMLFormElement)) return;
    const pathname = path(event.target.action);
    const cancelled = CANCELS.exec(pathname);
    if (STARTS.test(pathname)) sessionStorage.setItem(ASKED, String(Date.now()));
    if (cancelled) keep([...own().filter((other) => other !== Number(cancelled[1])), Number(cancelled[1])]);
  });
  listen((message) => {
    if (message === null) void look();
    else if (message.run_id && ENDS[message.type]) tell(message.run_id, message.job_name ?? "", ...ENDS[message.type]);
  });
}
