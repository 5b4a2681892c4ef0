/* The scheduler's log goes on while the page is open, and back while one scrolls up.
 *
 * <pre data-log="URL of log.json" data-log-begin="place" data-log-end="place">
 *   what is written after the end is added, unless that is empty; what is before the begin comes when one scrolls to the top
 * <label data-log-follow hidden><input type="checkbox"></label>   whether the view stays at the end: scrolling up lets go, and
 *   scrolling back to the end follows again
 * <form data-log-search> the search: marks hits among the lines that are there; [data-log-previous] [data-log-next] go from one to
 *   the next and [data-log-hits] says which it is. Before the first one older lines are looked through.
 * <a data-log-older> loads what is before in place */

import { element } from "../lib/dom.js";
import { get, poll } from "../lib/live.js";
import { t } from "../lib/words.js";

const EVERY_MS = 2000;
/** While the end is followed so many lines stay, so that a page left open over night stays small. */
const KEPT_LINES = 5000;
/** Looking back for a hit ends when so many lines are there. */
const MOST_LINES = 20000;
const OLDER_LINES = 1000;
const NEAR_END_PX = 24;
const NEAR_BEGIN_PX = 200;
const TYPING_MS = 200;

/**
 * @typedef {{place: string, level: string, timestamp: string, word: string, pieces: string[]}} Line
 * @typedef {{lines: Line[], begin: string|null, end: string, fresh: boolean}} Part
 */

/** Cut a text around each occurrence of a needle, in whatever case. @param {string} text @param {string} needle */
function cut(text, needle) {
  const [lower, sought] = [text.toLowerCase(), needle.toLowerCase()];
  // A letter that has another length in the other case moves all places behind it.
  if (!sought || lower.length !== text.length) return [text];
  const pieces = [];
  let start = 0;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, start)) {
    pieces.push(text.slice(start, at), text.slice(at, at + sought.length));
    start = at + sought.length;
  }
  return [...pieces, text.slice(start)];
}

class Log {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.address = new URL(place.dataset.log ?? "", location.href);
    this.begin = place.dataset.logBegin ?? "";
    this.end = place.dataset.logEnd ?? "";
    this.top = 0;
    this.loading = false;
    this.needle = "";
    /** Called when lines have come or gone. */
    this.changed = () => {};
    this.follow = document.querySelector("[data-log-follow] input");
    this.older = document.querySelector("[data-log-older]");
  }

  get following() {
    return this.follow instanceof HTMLInputElement && this.follow.checked;
  }

  set following(on) {
    if (this.follow instanceof HTMLInputElement) this.follow.checked = on;
    if (on) this.toEnd();
  }

  start() {
    document.querySelector("[data-log-follow]")?.removeAttribute("hidden");
    this.follow?.addEventListener("change", () => this.following && this.#join());
    if (this.following) this.toEnd();
    this.top = this.place.scrollTop;
    this.place.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.older?.addEventListener("click", (event) => {
      event.preventDefault();
      this.following = false;
      // The line that was the first one stays in sight, below those that came before it.
      void this.loadOlder().then(() => this.place.scrollBy({ top: 40 - this.place.clientHeight }));
    });
    if (this.end) poll(this.address.href, EVERY_MS, (signal) => this.#read(signal));
    void this.#fill();
  }

  toEnd() {
    this.place.scrollTop = this.place.scrollHeight;
    this.top = this.place.scrollTop;
  }

  /** An older part is not followed by what is written now, so following it means to go to the newest lines. */
  #join() {
    if (this.end) return this.toEnd();
    const address = new URL(location.href);
    address.searchParams.delete("before");
    location.assign(address);
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.place;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    if (scrollTop < this.top && !atEnd) this.following = false;
    else if (atEnd && this.end && !this.following) this.following = true;
    this.top = scrollTop;
    if (scrollTop < NEAR_BEGIN_PX) void this.loadOlder();
  }

  /** A filter may leave so little that nobody could scroll. */
  async #fill() {
    while (this.begin && this.place.scrollHeight <= this.place.clientHeight) if (!(await this.loadOlder())) return;
  }

  /** @returns {Promise<boolean>} whether there may be more before */
  async loadOlder() {
    if (this.loading || !this.begin) return Boolean(this.begin);
    this.loading = true;
    try {
      const address = new URL(this.address);
      address.searchParams.set("before", this.begin);
      address.searchParams.set("lines", String(OLDER_LINES));
      /** @type {Part} */
      const part = await (await get(address.href, { accept: "application/json" })).json();
      this.#setBegin(part.begin ?? "");
      if (part.lines.length) this.#prepend(part.lines);
    } catch (problem) {
      // Nothing is lost: the next scroll asks again, and the page's own look says that there is no answer.
      if (!(problem instanceof Error)) throw problem;
      return false;
    } finally {
      this.loading = false;
    }
    if (this.following) this.toEnd();
    return Boolean(this.begin);
  }

  /** @param {Line[]} lines */
  #prepend(lines) {
    const before = this.place.scrollHeight;
    this.place.querySelector(".wb-log__none")?.remove();
    this.place.prepend(...lines.map((line) => this.#row(line)));
    this.place.scrollTop += this.place.scrollHeight - before;
    this.top = this.place.scrollTop;
    this.changed();
  }

  /** @param {string} begin */
  #setBegin(begin) {
    this.begin = begin;
    if (this.older instanceof HTMLElement) this.older.hidden = !begin;
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const address = new URL(this.address);
    address.searchParams.set("after", this.end);
    /** @type {Part} */
    const part = await (await get(address.href, { signal, accept: "application/json" })).json();
    this.end = part.end;
    if (part.fresh) {
      this.place.replaceChildren();
      this.#setBegin(part.begin ?? "");
    }
    if (part.lines.length === 0) return;
    this.place.querySelector(".wb-log__none")?.remove();
    this.place.append(...part.lines.map((line) => this.#row(line)));
    if (this.following) this.#forget();
    this.changed();
    if (this.following) this.toEnd();
  }

  #forget() {
    while (this.place.childElementCount > KEPT_LINES) {
      this.place.firstElementChild?.remove();
      const first = this.place.firstElementChild;
      if (first instanceof HTMLElement) this.#setBegin(first.dataset.place ?? "");
    }
  }

  /** @param {Line} line */
  #row(line) {
    const message = element("span", { class: "wb-log__message", text: line.pieces.join("") });
    this.paint(message);
    const head = line.timestamp
      ? [element("span", { class: "wb-log__time", text: `[${line.timestamp}]` }), " ", element("span", { class: "wb-log__word", text: `[${line.word}]` }), " "]
      : [];
    return element("span", { class: `wb-log__line wb-log__line--${line.level.toLowerCase()}`, "data-place": line.place }, ...head, message, "\n");
  }

  /** @param {Element} message */
  paint(message) {
    const pieces = cut(message.textContent ?? "", this.needle);
    if (pieces.length === 1 && message.childElementCount === 0) return;
    message.replaceChildren(...pieces.map((piece, n) => (n % 2 ? element("mark", { text: piece }) : document.createTextNode(piece))));
  }

  /** @param {string} needle */
  mark(needle) {
    this.needle = needle;
    for (const message of this.place.querySelectorAll(".wb-log__message")) this.paint(message);
  }
}

class Search {
  /** @param {Log} log @param {HTMLFormElement} form */
  constructor(log, form) {
    this.log = log;
    this.form = form;
    this.field = /** @type {HTMLInputElement} */ (form.elements.namedItem("q"));
    this.only = /** @type {HTMLInputElement} */ (form.elements.namedItem("only"));
    this.said = /** @type {HTMLElement} */ (form.querySelector("[data-log-hits]"));
    /** @type {Element|null} */
    this.current = null;
    this.timer = 0;
  }

  start() {
    this.form.querySelector("[data-log-steps]")?.removeAttribute("hidden");
    this.form.querySelector("[type=submit]")?.setAttribute("hidden", "");
    this.form.querySelector("[data-log-previous]")?.addEventListener("click", () => this.previous());
    this.form.querySelector("[data-log-next]")?.addEventListener("click", () => this.next());
    this.only.addEventListener("change", () => this.form.requestSubmit());
    this.field.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#typed(), TYPING_MS);
    });
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.log.changed = () => this.#say();
    this.log.needle = this.field.value.trim();
    if (this.log.needle) this.#choose(this.hits.at(-1) ?? null);
  }

  /** @returns {Element[]} */
  get hits() {
    return [...this.log.place.querySelectorAll("mark")];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Enter") return;
    // Whether a line is left out is decided by the server, with the whole log before it.
    if (this.only.checked && this.field.value.trim() !== this.log.needle) return;
    event.preventDefault();
    clearTimeout(this.timer);
    if (this.field.value.trim() !== this.log.needle) this.#typed();
    else if (event.shiftKey) void this.previous();
    else this.next();
  }

  #typed() {
    if (this.only.checked) return;
    this.log.mark(this.field.value.trim());
    this.#keep();
    this.#choose(this.hits.at(-1) ?? null);
  }

  /** The address and the links to other levels lead to the same search. */
  #keep() {
    for (const link of [location, ...document.querySelectorAll(".wb-log__tools a, [data-log-older]")]) {
      const address = new URL(/** @type {{href: string}} */ (/** @type {unknown} */ (link)).href);
      if (this.log.needle) address.searchParams.set("q", this.log.needle);
      else address.searchParams.delete("q");
      if (link instanceof HTMLAnchorElement) link.href = address.href;
      else history.replaceState(null, "", address);
    }
  }

  next() {
    const { hits } = this;
    if (hits.length === 0) return void this.previous();
    this.#choose(hits[(hits.indexOf(/** @type {Element} */ (this.current)) + 1) % hits.length]);
  }

  async previous() {
    if (!this.log.needle) return;
    let { hits } = this;
    let at = this.current ? hits.indexOf(this.current) : 0;
    while (at <= 0 && this.log.begin && this.log.place.childElementCount < MOST_LINES) {
      const count = hits.length;
      const more = await this.log.loadOlder();
      ({ hits } = this);
      at = this.current ? hits.indexOf(this.current) : hits.length;
      if (!more || hits.length > count) break;
    }
    this.#choose(hits.at(at - 1) ?? null);
  }

  /** @param {Element|null} hit */
  #choose(hit) {
    this.current?.classList.remove("wb-log__current");
    this.current = hit;
    if (hit) {
      this.log.following = false;
      hit.classList.add("wb-log__current");
      const box = this.log.place.getBoundingClientRect();
      const at = hit.getBoundingClientRect();
      this.log.place.scrollTop += at.top - box.top - box.height / 2;
      // On a phone the terminal itself may be out of sight.
      const now = hit.getBoundingClientRect();
      if (now.bottom > innerHeight || now.top < 0) this.log.place.scrollIntoView({ block: "end" });
    }
    this.#say();
  }

  #say() {
    const { hits } = this;
    const at = this.current ? hits.indexOf(this.current) + 1 : 0;
    const place = at ? t("%(at)s of %(all)s", { at, all: hits.length }) : String(hits.length);
    this.said.textContent = !this.log.needle ? "" : hits.length === 0 ? t("No hit in these lines") : place;
  }
}

const place = document.querySelector("[data-log]");
if (place instanceof HTMLElement) {
  const log = new Log(place);
  log.start();
  const form = document.querySelector("[data-log-search]");
  if (form instanceof HTMLFormElement) new Search(log, form).start();
}
