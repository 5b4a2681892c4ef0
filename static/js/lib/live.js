/* Parts of the page that keep themselves up to date. The server renders the HTML; this only fetches it again and puts the
 * differences in place.
 *
 * <section id="recent" data-live="URL" data-live-every="5">   fetched every 5 s; an empty value means the page's own address
 *   From the answer is taken: the element with the same id, if it has no [data-live-part]; else every [data-live-part=name], put
 *   into each [data-live-part=name] of the page; else the whole answer becomes the content.
 *   data-live-until="[data-state=running]"    stop (after one more look) when the element holds nothing like this any more
 *   data-live-run="7", data-live-task="3"     only what happens to this run or task makes it look
 *   data-live-job="ID", data-live-device="UUID"   the same of an order to devices, and of one device in it
 *   data-live-types="scheduler_ paused"       only events whose type begins with one of these
 *   data-live-net="30"                        how often it looks by itself while the server tells what happens
 * [data-live-keep] inside is never touched. What is being typed, or a menu or dialog that is open inside, is left alone.
 *
 * While the socket of stream.js stands, an event makes the parts look that it concerns, once a second at the most, and the times
 * above do not count. While the tab is hidden nothing is fetched. After an error the pauses grow to a minute, and #live-state
 * says so. */

import { element, parse, pause } from "./dom.js";
import { morph } from "./morph.js";
import { presence } from "./presence.js";
import { isLive, listen, noteAnswers, resume } from "./stream.js";
import { refreshTimes } from "./time.js";
import { t } from "./words.js";

const LONGEST_MS = 60000;
const TIMEOUT_MS = 10000;
const NET_MS = 30000;
/** So often a page looks whether its login stands again. */
const LOGGED_OUT_MS = 30000;
/** Under this name the tabs of a browser tell one another that somebody has logged in. */
const ENTERED = "watchbell.entered";
/** Between two looks there is this much, and several times what the last one took: a busy server is not made busier. */
const LEAST_PAUSE_MS = 1000;
const TIMES_THE_LOOK = 4;

/** Addresses that do not answer at the moment. @type {Set<string>} */
const silent = new Set();

/** @param {...(string|Node)} words nothing takes away what was said */
function showState(...words) {
  const place = document.getElementById("live-state");
  if (!place) return;
  place.replaceChildren(...words);
  place.hidden = !words.length;
}

/** Resolved once the tab is seen. @returns {Promise<void>} */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
  });
}

/** The page must not go on showing old rows as if they were fresh to somebody whose login has ended. */
export class LoggedOut extends Error {}

/** @type {Promise<void>|null} there is one while the login has ended, resolved once it stands again; the page says so whatever another look meets */
let absence = null;

/** @returns {HTMLElement|null} the way to log in without losing what stands on this page */
export function loginLink() {
  const address = document.getElementById("live-state")?.dataset.login;
  return address ? element("a", { href: address, target: "_blank", text: t("Log in in another tab") }) : null;
}

/** Wait until the login stands again, in another tab or window. @param {string} address what only who has logged in may see */
async function waitForLogin(address) {
  const link = loginLink();
  showState(t("You are logged out."), ...(link ? [" ", link] : []));
  let bell = new AbortController();
  const ring = () => bell.abort();
  // Somebody comes back to this tab, or another one shows a page to whoever has logged in there.
  const channel = new BroadcastChannel(ENTERED);
  channel.addEventListener("message", ring);
  document.addEventListener("visibilitychange", ring);
  for (let isIn = false; !isIn; ) {
    await pause(LOGGED_OUT_MS, bell.signal);
    await seen();
    bell = new AbortController();
    // Without an answer nobody knows; the next look may tell.
    isIn = await get(address, { accept: "application/json" }).then(() => true, () => false);
  }
  channel.close();
  document.removeEventListener("visibilitychange", ring);
  absence = null;
  showState();
  // As the page is for whoever has logged in now; but what may have been typed into a form stays.
  if (document.querySelector("form[data-guard]")) resume();
  else location.reload();
}

/**
 * Fetch from this server; a redirect to the login page is an error of its own.
 * @param {string} url
 * @param {{signal?: AbortSignal, accept?: string}} [options]
 * @returns {Promise<Response>}
 */
export async function get(url, { signal, accept = "text/html" } = {}) {
  const late = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, {
    headers: { Accept: accept, "X-Requested-With": "fetch", ...presence() },
    credentials: "same-origin",
    signal: signal ? AbortSignal.any([signal, late]) : late,
  });
  const away = response.redirected && new URL(response.url).pathname !== new URL(url, location.href).pathname;
  if (response.status === 401 || away) throw new LoggedOut();
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response;
}

/** Which events make somebody look, and how often there is a look without any. */
/** @typedef {{takes: (message: import("./stream.js").Message) => boolean, net?: number}} Watch */

/**
 * Call `step` again and again: `every` ms apart, more slowly after errors, not while the tab is hidden.
 * @param {string} name what is shown as unreachable (an address)
 * @param {number} every
 * @param {(signal: AbortSignal) => Promise<boolean|void>} step returns false when there is nothing more to come
 * @param {Watch} [watch] while the server tells what happens, an event that it takes calls for a step, and the time does not
 * @returns {() => void} stops it
 */
export function poll(name, every, step, watch) {
  const stop = new AbortController();
  let bell = new AbortController();
  const forget = watch ? listen((message) => (message === null || watch.takes(message)) && bell.abort()) : () => {};
  stop.signal.addEventListener("abort", forget);
  // Nothing has to be waited for any more once the browser has its network back.
  addEventListener("online", () => bell.abort(), { signal: stop.signal });
  void run().finally(forget);
  return () => stop.abort();

  async function run() {
    let wait = every;
    while (!stop.signal.aborted) {
      await seen();
      if (stop.signal.aborted) return;
      bell = new AbortController();
      const begin = performance.now();
      try {
        if ((await step(stop.signal)) === false) return;
        wait = every;
        if (silent.delete(name) && silent.size === 0 && !absence) showState();
      } catch (problem) {
        if (stop.signal.aborted) return;
        if (problem instanceof LoggedOut) {
          absence ??= waitForLogin(ownAddress() ?? location.href);
        }
        if (absence) {
          await absence;
          continue;
        }
        wait = Math.min(Math.max(wait, 1000) * 2, LONGEST_MS);
        silent.add(name);
        showState(t("No answer from the server; next try in %(n)s s", { n: Math.round(wait / 1000) }));
      }
      noteAnswers(silent.size === 0);
      await rest(wait, performance.now() - begin);
    }
  }

  /** @param {number} wait @param {number} took how long the last step took */
  async function rest(wait, took) {
    const isTold = watch && isLive() && !silent.has(name);
    const length = isTold ? Math.max(wait, watch.net ?? NET_MS) : wait;
    // A little scatter keeps many open tabs from asking all at once.
    await pause(length * (0.9 + Math.random() * 0.2), AbortSignal.any([stop.signal, bell.signal]));
    const least = Math.max(LEAST_PAUSE_MS, took * TIMES_THE_LOOK);
    if (bell.signal.aborted) await pause(least * (0.9 + Math.random() * 0.2), stop.signal);
  }
}

/** @param {Element} node somebody is at work in it */
function busy(node) {
  const active = document.activeElement;
  const typing = active instanceof HTMLElement && node.contains(active) && active.matches("input:not([type=checkbox]), textarea, select");
  const selection = getSelection();
  const marking = selection !== null && !selection.isCollapsed && node.contains(selection.anchorNode);
  return typing || marking;
}

/**
 * Put a rendered answer in place.
 * @param {Element} target
 * @param {string} html
 */
export function place(target, html) {
  const answer = parse(html);
  const parts = answer.querySelectorAll("[data-live-part]");
  const twin = target.id ? answer.getElementById(target.id) : null;
  // A whole page has the parts of its frame beside the element; only those within it are looked at.
  if (twin && !twin.querySelector("[data-live-part]")) {
    if (!busy(target)) morph(target, twin);
  } else if (parts.length) {
    for (const part of parts) {
      const name = part.getAttribute("data-live-part") ?? "";
      for (const old of document.querySelectorAll(`[data-live-part="${CSS.escape(name)}"]`)) if (!busy(old)) morph(old, part);
    }
  } else if (!busy(target)) {
    const shell = /** @type {Element} */ (target.cloneNode(false));
    shell.append(...answer.body.childNodes);
    morph(target, shell);
  }
  refreshTimes();
  target.dispatchEvent(new CustomEvent("watchbell:live", { bubbles: true }));
}

/** @param {HTMLElement} target @returns {Watch} */
export function watchOf(target) {
  const { liveRun, liveTask, liveJob, liveDevice, liveTypes, liveNet } = target.dataset;
  const types = liveTypes?.split(" ");
  const net = Number(liveNet) * 1000 || NET_MS;
  return {
    net,
    takes: ({ type, run_id, data }) =>
      (!liveRun || run_id === Number(liveRun)) &&
      (!liveTask || data?.task_id === Number(liveTask)) &&
      (!liveJob || data?.job_id === liveJob) &&
      (!liveDevice || !data?.device_uuid || data.device_uuid === liveDevice) &&
      (!types || types.some((beginning) => type.startsWith(beginning))),
  };
}

/** @param {HTMLElement} target */
export function live(target) {
  const url = target.dataset.live || location.href.split("#")[0];
  const every = Math.max(Number(target.dataset.liveEvery) || 5, 0.5) * 1000;
  const until = target.dataset.liveUntil;
  let last = "";
  let first = true;
  return poll(url, every, async (signal) => {
    // The page has just been rendered, so the first look can wait.
    if (first) {
      first = false;
      return true;
    }
    if (!target.isConnected) return false;
    const going = !until || target.querySelector(until) !== null;
    const html = await (await get(url, { signal })).text();
    if (html !== last) place(target, html);
    last = html;
    return going;
  }, watchOf(target));
}

/** @returns {string|null} an address for those alone who have logged in, which the frame names to them */
function ownAddress() {
  return document.querySelector("[data-attention]")?.getAttribute("data-attention") ?? null;
}

export function startLive() {
  if (ownAddress()) {
    const channel = new BroadcastChannel(ENTERED);
    channel.postMessage(null);
    channel.close();
  }
  for (const target of document.querySelectorAll("[data-live]")) if (target instanceof HTMLElement) live(target);
}
