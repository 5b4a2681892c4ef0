/* The tab says that something needs a person, also while it is in the background: "(2 failed) Tasks – Watchbell", and another icon.
 *
 * <header data-attention="URL of attention.json" data-attention-of="ann">
 * <link rel="icon" data-failed="URL of the other icon">
 *
 * A failure counts until it is solved, or until the person has seen it: has opened the page of its run, or has moved or typed
 * something while the first page showed it. What was seen is kept in the browser, for all its tabs. */

import { get, LoggedOut } from "./live.js";
import { path } from "./place.js";
import { listen } from "./stream.js";
import { t, tn } from "./words.js";

const EVERY_MS = 30000;
const LEAST_MS = 2000;
/** The server tells so long what it has found; an answer that was asked for sooner may be of before what has happened. */
const TOLD_MS = 1000;
/** A hidden tab is looked at now and then, so it need not ask as often. */
const LEAST_HIDDEN_MS = 5000;
const KEPT = 300;
const BAD = new Set(["job_failed", "job_timeout", "job_lost", "job_missed"]);
/** Ways in which a failure may be solved, or stop to count. */
const GOOD = new Set(["job_completed", "job_decided", "job_updated", "job_deleted", "job_created", "scheduler_started"]);

/** @typedef {{failed: number[], decide: number[], scheduler: string}} Told */

class Attention {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.url = place.dataset.attention ?? "";
    this.store = `watchbell.seen.${place.dataset.attentionOf ?? ""}`;
    this.title = document.title;
    this.link = /** @type {HTMLLinkElement|null} */ (document.querySelector("link[rel=icon][data-failed]"));
    this.icon = this.link?.href ?? "";
    /** @type {Told} */
    this.told = { failed: [], decide: [], scheduler: "" };
    this.timer = 0;
    this.lookedAt = -Infinity;
    this.isLooking = false;
    /** Whether something has happened since the look that is under way was asked for. */
    this.isLate = false;
  }

  start() {
    listen((message) => {
      const isBad = message === null || BAD.has(message.type) || message.type.startsWith("scheduler_");
      if (isBad || (GOOD.has(message.type) && this.told.failed.length + this.told.decide.length > 0)) this.#soon();
    });
    setInterval(() => this.#soon(), EVERY_MS);
    addEventListener("storage", (event) => {
      if (event.key === this.store) this.#show();
    });
    document.addEventListener("visibilitychange", () => this.#soon());
    for (const type of ["pointermove", "pointerdown", "keydown", "wheel"]) addEventListener(type, () => this.#act(), { passive: true });
    void this.#look();
  }

  /** Look, but not more often than that: while much happens, each tab asks for little. */
  #soon() {
    if (this.timer) return;
    const least = document.hidden ? LEAST_HIDDEN_MS : LEAST_MS;
    this.timer = setTimeout(() => {
      this.timer = 0;
      void this.#look();
    }, Math.max(this.lookedAt + least - performance.now(), TOLD_MS));
  }

  async #look() {
    if (this.isLooking) {
      this.isLate = true;
      return;
    }
    this.isLooking = true;
    this.isLate = false;
    try {
      this.told = await (await get(this.url, { accept: "application/json" })).json();
      this.#noteRun();
      this.#show();
    } catch (problem) {
      // The page says elsewhere that the server does not answer; what was true last stays in the title.
      if (problem instanceof LoggedOut) this.told = { failed: [], decide: [], scheduler: "" };
    } finally {
      this.isLooking = false;
      this.lookedAt = performance.now();
      if (this.isLate) this.#soon();
    }
  }

  /** @returns {number[]} */
  #seen() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.store) ?? "[]");
      return Array.isArray(kept) ? kept.filter(Number.isInteger) : [];
    } catch (problem) {
      // Nothing readable is there, so nothing was seen.
      if (problem instanceof SyntaxError || problem instanceof DOMException) return [];
      throw problem;
    }
  }

  /** @param {number[]} ids */
  #note(ids) {
    const before = this.#seen();
    const fresh = ids.filter((id) => !before.includes(id));
    if (!fresh.length) return;
    try {
      localStorage.setItem(this.store, JSON.stringify([...fresh, ...before].slice(0, KEPT)));
    } catch (refused) {
      // A browser that keeps nothing for this site shows it until it is solved.
      if (!(refused instanceof DOMException)) throw refused;
    }
    this.#show();
  }

  #noteRun() {
    const run = Number(/^\/runs\/(\d+)$/.exec(path())?.[1]);
    if (!document.hidden && [...this.told.failed, ...this.told.decide].includes(run)) this.#note([run]);
  }

  /** Somebody is there. */
  #act() {
    if (document.hidden) return;
    this.#noteRun();
    if (path() === "/" && performance.now() - this.lookedAt > 500) this.#note([...this.told.failed, ...this.told.decide]);
  }

  #show() {
    const seen = new Set(this.#seen());
    const count = (/** @type {number[]} */ ids) => ids.filter((id) => !seen.has(id)).length;
    const [failed, decide] = [count(this.told.failed), count(this.told.decide)];
    let mark = "";
    if (failed) mark = tn("%(num)s failed", "%(num)s failed", failed);
    else if (decide) mark = tn("%(num)s to decide", "%(num)s to decide", decide);
    else if (this.told.scheduler === "stalled") mark = t("scheduler stalled");
    const title = mark ? `(${mark}) ${this.title}` : this.title;
    if (document.title !== title) document.title = title;
    const wanted = mark ? (this.link?.dataset.failed ?? "") : this.icon;
    if (this.link && this.link.getAttribute("href") !== wanted) this.link.setAttribute("href", wanted);
  }
}

export function startAttention() {
  const place = document.querySelector("[data-attention]");
  if (place instanceof HTMLElement) new Attention(place).start();
}
