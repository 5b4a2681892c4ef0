/* The socket by which the server tells what happens; one for a page. docs/live.md has the words that go over it.
 *
 * <span id="live-link" data-socket="URL" hidden>   the server lets sockets in; without it none is tried
 *   Its icon and [data-live-link-text] say how it stands, and data-link names it: connected, reconnecting, polling or offline
 *
 * While it is lost a bar across the page says when the next try is, with a button for trying at once; where no socket can be had at
 * all the page looks by itself, and there is no bar.
 *
 * A lost connection is made again, after pauses that grow and are scattered, and what was missed meanwhile is asked for. Where
 * none can be made the page looks by itself, as it does before the first one stands. */

import { element, icon, pause } from "./dom.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;
const PING_MS = 25000;
/** A server that says nothing to a ping for so long is gone, even if the line does not say so. */
const ANSWER_MS = 10000;
/** After so many vain tries in a row it is not called a moment's trouble any more. */
const PATIENCE = 4;
const LOGGED_OUT = 4401;

/**
 * @typedef {{type: string, id?: number, job_name?: string|null, run_id?: number|null, data?: Record<string, any>}} Message
 * @typedef {(message: Message|null) => void} Listener   null: anything may have happened
 */

/** @type {Set<Listener>} */
const listeners = new Set();
/** Whether the page's own looks are answered. */
let answered = true;
let vain = 0;
/** Whether this page has heard of what happens at any time. */
let everUp = false;
/** When the next try is; 0 while it goes on. */
let triesAt = 0;
let ticking = 0;
/** @type {Stream|null} */
let stream = null;

/** @type {Record<string, [string, string, string]>} */
const WORDS = {
  connected: ["live", t("Live"), t("The page shows what happens as it happens.")],
  reconnecting: ["restart", t("Reconnecting"), t("The connection to the server was lost and is made again.")],
  polling: ["restart", t("Every few seconds"), t("The server cannot be heard all the time, so the page asks every few seconds.")],
  offline: ["offline", t("Offline"), t("The server does not answer. What is shown may be old.")],
};

class Stream {
  /** @param {string} address */
  constructor(address) {
    this.address = new URL(address, location.href);
    this.address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.lastId = -1;
    this.isUp = false;
    this.stop = new AbortController();
    /** Ends a pause before the next try. */
    this.hurry = new AbortController();
  }

  async run() {
    let wait = FIRST_PAUSE_MS;
    while (!this.stop.signal.aborted) {
      const { wasUp, code } = await this.#life();
      if (this.stop.signal.aborted) return;
      vain = wasUp ? 0 : vain + 1;
      wait = wasUp ? FIRST_PAUSE_MS : Math.min(wait * 2, LONGEST_PAUSE_MS);
      show();
      // The page's own look finds out that the login has ended, and says what to do.
      if (wasUp || code === LOGGED_OUT) tell(null);
      if (code === LOGGED_OUT) {
        stream = null;
        show();
        return;
      }
      this.hurry = new AbortController();
      const length = wait * (0.5 + Math.random() / 2);
      triesAt = performance.now() + length;
      show();
      await pause(length, AbortSignal.any([this.stop.signal, this.hurry.signal]));
      triesAt = 0;
      show();
      await seen(this.stop.signal);
    }
  }

  /** One connection from its begin to its end. @returns {Promise<{wasUp: boolean, code: number}>} */
  #life() {
    return new Promise((resolve) => {
      const isFirst = this.lastId < 0;
      if (!isFirst) this.address.searchParams.set("after", String(this.lastId));
      const socket = new WebSocket(this.address);
      let wasUp = false;
      let heardAt = performance.now();
      const beat = setInterval(() => {
        if (socket.readyState !== WebSocket.OPEN) return;
        if (performance.now() - heardAt > PING_MS + ANSWER_MS) finish(0);
        else socket.send(JSON.stringify({ type: "ping" }));
      }, PING_MS);
      const finish = (/** @type {number} */ code) => {
        clearInterval(beat);
        this.isUp = false;
        socket.close();
        resolve({ wasUp, code });
      };
      socket.addEventListener("open", () => {
        if (isFirst) socket.send(JSON.stringify({ type: "resume" }));
      });
      socket.addEventListener("message", (event) => {
        heardAt = performance.now();
        if (!this.#take(JSON.parse(event.data))) return;
        wasUp = this.isUp = everUp = true;
        vain = 0;
        show();
      });
      socket.addEventListener("close", (event) => finish(event.code));
      this.stop.signal.addEventListener("abort", () => finish(0), { once: true });
    });
  }

  /** @param {Message} message @returns {boolean} whether the page hears of all that follows */
  #take(message) {
    if (message.id !== undefined) this.lastId = message.id;
    const isUp = message.type === "gap" || message.type === "caught_up";
    // Before this moment anything may have happened, and parts that got no answer need not wait any longer.
    if (isUp) tell(null);
    else if (message.id !== undefined) tell(message);
    return isUp;
  }
}

/** @param {AbortSignal} signal @returns {Promise<void>} resolved once the tab is seen */
function seen(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look, { once: true });
  });
}

/** @param {Message|null} message */
function tell(message) {
  for (const listener of [...listeners]) listener(message);
}

function state() {
  if (stream?.isUp) return "connected";
  if (navigator.onLine && vain < PATIENCE) return "reconnecting";
  return answered && navigator.onLine ? "polling" : "offline";
}

/** The first try comes within a second, and a server that only starts anew is back by then. */
function isLost() {
  return everUp && !isLive() && vain > 0 && stream !== null && !stream.stop.signal.aborted && state() !== "polling";
}

function showLost() {
  const old = document.querySelector(".wb-lost");
  // What is said of the scheduler was true when the server last said it, and looks like that.
  document.documentElement.toggleAttribute("data-lost", isLost());
  if (!isLost()) {
    clearInterval(ticking);
    ticking = 0;
    old?.remove();
    return;
  }
  const place = old ?? document.querySelector(".wb-page")?.insertBefore(lostBar(), document.querySelector(".wb-page")?.firstChild ?? null);
  const seconds = Math.ceil((triesAt - performance.now()) / 1000);
  const next = place?.querySelector("[data-next-try]");
  if (next) next.textContent = triesAt && seconds > 0 ? t("Trying again in %(n)s s.", { n: seconds }) : t("Trying again…");
  ticking ||= setInterval(showLost, 500);
}

/** @returns {HTMLElement} */
function lostBar() {
  const now = element("button", { class: "btn", type: "button", text: t("Try now") });
  now.addEventListener("click", () => {
    stream?.hurry.abort();
    tell(null);
  });
  // The seconds are not read out one by one.
  const words = element("p", {}, element("strong", { role: "status", text: t("Connection lost.") }), " ", element("span", { "data-next-try": true, "aria-hidden": "true" }));
  return element("div", { class: "wb-alarm wb-lost" }, icon("offline"), words, now);
}

/** Forms that are on their way, since the server has just answered. @type {WeakSet<HTMLFormElement>} */
const asked = new WeakSet();

/** A form that nobody takes would leave the reader on the browser's own page, without what was typed. @param {SubmitEvent} event */
async function keepForm(event) {
  const { target: form, submitter } = event;
  if (!(form instanceof HTMLFormElement) || asked.has(form) || !isLost() || form.method === "dialog") return;
  event.preventDefault();
  event.stopPropagation();
  if (!(await isThere())) {
    toast(t("The server does not answer. Nothing was sent, and what was typed is still here."), { kind: "danger" });
    return;
  }
  asked.add(form);
  form.requestSubmit(submitter);
  asked.delete(form);
}

/** @returns {Promise<boolean>} whether the server answers at the moment */
async function isThere() {
  try {
    const root = document.documentElement.dataset.root ?? "";
    return (await fetch(`${root}/health/live`, { signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" })).ok;
  } catch {
    // No answer at all is the answer that was asked for.
    return false;
  }
}

function show() {
  showLost();
  const place = document.getElementById("live-link");
  // Nothing is lost before the first connection stands, so that is no news.
  if (!place || (place.hidden && !isLive() && vain === 0)) return;
  const now = state();
  if (place.dataset.link === now) return;
  const [icon, text, title] = WORDS[now];
  place.dataset.link = now;
  place.title = title;
  place.querySelector("use")?.setAttribute("href", `#i-${icon}`);
  const words = place.querySelector("[data-live-link-text]");
  if (words) words.textContent = text;
  place.hidden = false;
}

/** @returns {boolean} whether the server tells what happens, so that there is little to look for */
export function isLive() {
  return stream?.isUp ?? false;
}

/** @param {boolean} isAnswered whether the page's own looks at the server are answered */
export function noteAnswers(isAnswered) {
  if (answered === isAnswered) return;
  answered = isAnswered;
  // A server that answers again takes sockets again, too.
  if (isAnswered) stream?.hurry.abort();
  show();
}

/**
 * @param {Listener} listener called with every event, and with null when anything may have happened
 * @returns {() => void} ends it
 */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function begin() {
  const address = document.getElementById("live-link")?.dataset.socket;
  if (!address || stream) return;
  stream = new Stream(address);
  void stream.run();
}

/** Listen again after the login had ended. */
export function resume() {
  vain = 0;
  begin();
}

export function startStream() {
  begin();
  addEventListener("online", () => {
    stream?.hurry.abort();
    show();
  });
  addEventListener("offline", show);
  addEventListener("submit", (event) => void keepForm(event), { capture: true });
  // A page with an open socket is not kept for the back button.
  addEventListener("pagehide", () => {
    stream?.stop.abort();
    stream = null;
  });
  addEventListener("pageshow", begin);
}
