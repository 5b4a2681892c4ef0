/* The live output of a run, or the scheduler's log. templates/_macros/output.html makes the markup; without scripts it shows what
 * the server has put into it.
 *
 * <div data-output data-url="URL" data-stream="stdout" data-live-output>
 *   The URL is asked with ?stream=&offset= and answers {text, next_offset, size, dropped, done}:
 *   next_offset   where to go on; equal to the offset asked for when there is nothing more at the moment
 *   size          bytes the command has written
 *   dropped       [from, to]: the range that was not kept; null nearly always. Offsets count it, so next_offset jumps over it
 *   done          nothing will come any more
 *   Of data-stream="both" it answers {pieces: [{stream, text, at, before, behind}], next, shown, size, done, note}: next is where to
 *   go on, at says when a piece was written, before and behind how much was dropped there, note how exact the order is.
 *   [data-output-text] the terminal · [data-output-state] words on progress · buttons [data-output-wrap] [data-output-follow]
 *   [data-output-end] [data-output-more] · a search, see find.js
 * The text comes in as text nodes only: nothing a command writes can become markup. */

import { loadAnew } from "./anew.js";
import { element } from "./dom.js";
import { Finder } from "./find.js";
import { get, poll } from "./live.js";
import { Screen } from "./screen.js";
import { signedAsRead, t } from "./words.js";

const EVERY_MS = 1000;
/** After this much the reader is asked before more is loaded, unless they follow the end. */
const ASK_AFTER = 2 * 1024 * 1024;
/** And after so many lines: a browser stands still for minutes when it draws a million of them, however short they are. */
const ASK_AFTER_LINES = 20000;
/** While the end is followed so many lines stay, and the oldest make room. */
const KEPT_LINES = 10000;
const NEAR_END_PX = 24;
const BY_HAND_MS = 700;
const WRAP = "watchbell.wrap";

/** @param {number} bytes */
function amount(bytes) {
  if (bytes < 1000) return t("%(n)s bytes", { n: bytes });
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${signedAsRead(value.toFixed(value < 10 ? 1 : 0))} ${units[unit]}`;
}

/** @param {string} name @returns {string|null} */
function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    // A browser that keeps nothing for this site shows it as it is.
    return null;
  }
}

/** @param {string} name @param {string} value */
function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Then it holds for this page only.
  }
}

class Output {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.text = /** @type {HTMLElement} */ (root.querySelector("[data-output-text]"));
    this.isShared = root.dataset.stream === "both";
    this.screen = new Screen(this.text, root.dataset.stream ?? "");
    /** Where to go on, as the server says it. */
    this.place = "";
    this.offset = 0;
    this.size = 0;
    this.done = false;
    this.started = false;
    this.asking = false;
    this.allowed = ASK_AFTER;
    this.allowedLines = ASK_AFTER_LINES;
    /** Bytes of the offset that were dropped and so never came. */
    this.skipped = 0;
    this.following = root.hasAttribute("data-live-output");
    this.top = 0;
    this.jumping = false;
    this.touchedAt = -Infinity;
    this.wanted = this.#lineInAddress();
    if (this.wanted) this.following = false;
  }

  /** @returns {string} the id of the line that the address points at, empty without one of this terminal's */
  #lineInAddress() {
    const found = /^#([LE])([1-9]\d*)$/.exec(location.hash);
    return found && this.screen.has(found[1]) ? found[0].slice(1) : "";
  }

  /** @returns {number} bytes that have come */
  get shown() {
    return Math.max(this.offset - this.skipped, 0);
  }

  start() {
    this.#buttons();
    this.text.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    for (const type of ["wheel", "touchmove", "keydown", "pointerdown", "pointermove"]) {
      this.text.addEventListener(type, (event) => this.#touched(event), { passive: true });
    }
    addEventListener("hashchange", () => this.#mark(this.#lineInAddress()));
    const form = this.root.querySelector("[data-output-find]");
    if (form instanceof HTMLFormElement) {
      this.finder = new Finder(form, this.text, () => this.#follow(false));
      this.finder.start();
    }
    this.stop = poll(this.root.dataset.url ?? "", EVERY_MS, (signal) => this.#read(signal));
  }

  #buttons() {
    for (const node of this.root.querySelectorAll("[data-output-scripted]")) node.removeAttribute("hidden");
    this.#button("wrap", () => this.#wrap(!this.text.classList.contains("wb-terminal--wrap")));
    this.#button("follow", () => this.#follow(!this.following));
    this.#button("end", () => {
      this.allowed = this.allowedLines = Infinity;
      this.#follow(true);
    });
    this.#button("more", () => {
      this.allowed = this.shown + ASK_AFTER;
      this.allowedLines = this.screen.rows + ASK_AFTER_LINES;
      this.#show();
    });
    this.#wrap(kept(WRAP) === "on");
    this.#follow(this.following);
  }

  /** @param {string} name @param {() => void} act */
  #button(name, act) {
    this.root.querySelector(`[data-output-${name}]`)?.addEventListener("click", act);
  }

  /** @param {AbortSignal} signal @returns {Promise<boolean>} */
  async #read(signal) {
    // Everything that is there is read in one go; the pauses of poll() are for waiting for more.
    for (;;) {
      const isMuch = this.shown >= this.allowed || this.screen.rows >= this.allowedLines;
      if (!this.following && !this.wanted && isMuch && this.offset < this.size) {
        this.asking = true;
        this.#show();
        return true;
      }
      this.asking = false;
      const address = new URL(this.root.dataset.url ?? "", location.href);
      if (this.root.dataset.stream) address.searchParams.set("stream", this.root.dataset.stream);
      address.searchParams.set("offset", this.isShared ? this.place : String(this.offset));
      const answer = await (await get(address.href, { signal, accept: "application/json" })).json();
      const more = this.isShared ? answer.pieces?.length > 0 : answer.next_offset > this.offset;
      if (this.isShared) this.#takeBoth(answer);
      else this.#take(answer);
      if (!more) return !this.done;
    }
  }

  /** @param {{text: string, next_offset: number, size: number, dropped: [number, number]|null, done: boolean}} answer */
  #take(answer) {
    this.#begin();
    const [from, to] = answer.dropped ?? [Infinity, Infinity];
    // A text that begins behind the gap was asked for from inside it; one that ends at the gap is followed by it.
    if (this.offset > from && this.offset < to) this.#gap(to - from);
    if (answer.text) this.screen.add(answer.text, undefined, "", this.#most);
    if (this.following) this.screen.forget(KEPT_LINES);
    if (this.offset <= from && answer.next_offset >= to) this.#gap(to - from);
    this.offset = answer.next_offset;
    this.#taken(answer.size, answer.done);
  }

  /** @param {{known: boolean, pieces: {stream: string, text: string, at: string, before: number, behind: number}[], next: string, shown: number, size: number, done: boolean, note: string}} answer */
  #takeBoth(answer) {
    if (!answer.known) {
      // It has ended before its order could be noted; the server shows one stream below the other.
      this.done = true;
      if (this.root.hasAttribute("data-live-output")) loadAnew();
      return;
    }
    this.#begin();
    for (const piece of answer.pieces) {
      if (piece.before) this.#gap(piece.before, piece.stream);
      if (piece.text) this.screen.add(piece.text, piece.stream, piece.at, this.#most);
      if (piece.behind) this.#gap(piece.behind, piece.stream);
    }
    if (this.following) this.screen.forget(KEPT_LINES);
    this.place = answer.next;
    this.offset = answer.shown;
    const exact = this.root.querySelector("[data-output-exact]");
    if (exact) exact.textContent = answer.note;
    this.#taken(answer.size, answer.done);
  }

  /** @returns {number} lines of an answer that are drawn */
  get #most() {
    return this.following ? KEPT_LINES : Infinity;
  }

  #begin() {
    if (this.started) return;
    this.started = true;
    this.screen.clear();
  }

  /** @param {number} size @param {boolean} isDone */
  #taken(size, isDone) {
    this.size = size;
    this.done = isDone;
    if (this.wanted && this.screen.line(this.wanted)) {
      this.#mark(this.wanted);
      this.wanted = "";
    }
    this.#show();
    this.finder?.refresh(this.#left());
    if (this.following) this.#toEnd();
  }

  /** @returns {string} in words, what is not shown and so not searched */
  #left() {
    if (this.screen.isCut) return t("the newest lines only");
    const left = this.size - this.offset;
    if (left > 0) return t("%(amount)s not loaded", { amount: amount(left) });
    return this.skipped ? t("%(amount)s were dropped", { amount: amount(this.skipped) }) : "";
  }

  /** @param {number} bytes @param {string} [stream] */
  #gap(bytes, stream) {
    this.skipped += bytes;
    this.screen.note(t("%(amount)s dropped here: the command wrote more than is kept.", { amount: amount(bytes) }), stream);
  }

  #show() {
    const state = this.root.querySelector("[data-output-state]");
    const more = this.root.querySelector("[data-output-more]");
    if (more instanceof HTMLElement) more.hidden = !this.asking;
    if (this.done && this.size === 0 && this.started) {
      this.screen.clear();
      this.text.classList.add("wb-terminal--plain");
      const { stream } = this.root.dataset;
      const text = this.isShared || !stream ? t("The command wrote nothing.") : t("The command wrote nothing to %(stream)s.", { stream });
      this.text.append(element("span", { class: "wb-muted", text }));
    }
    if (!state) return;
    const size = amount(this.size);
    let written = size;
    if (this.screen.isCut) written = t("the newest lines of %(whole)s", { whole: size });
    else if (this.offset < this.size) written = t("%(part)s of %(whole)s shown", { part: amount(this.shown), whole: size });
    state.textContent = this.done ? written : t("%(amount)s so far", { amount: written });
  }

  /** @param {boolean} on */
  #wrap(on) {
    this.text.classList.toggle("wb-terminal--wrap", on);
    this.root.querySelector("[data-output-wrap]")?.setAttribute("aria-pressed", String(on));
    keep(WRAP, on ? "on" : "off");
  }

  /** @param {boolean} on */
  #follow(on) {
    this.following = on;
    this.root.querySelector("[data-output-follow]")?.setAttribute("aria-pressed", String(on));
    if (on) this.#toEnd();
  }

  /** Measuring makes the browser lay out all that is new, so it is done once a frame at most, however much arrives. */
  #toEnd() {
    if (this.jumping) return;
    this.jumping = true;
    requestAnimationFrame(() => {
      this.#jump();
      // Blocks that come into sight get their true height only then.
      requestAnimationFrame(() => {
        this.jumping = false;
        if (this.following) this.#jump();
      });
    });
  }

  #jump() {
    this.text.scrollTop = this.text.scrollHeight;
    this.top = this.text.scrollTop;
  }

  /** The place also moves when blocks get their true height; only what follows a reader's own move lets go. @param {Event} event */
  #touched(event) {
    if (event.type === "pointermove" && !(/** @type {PointerEvent} */ (event).buttons)) return;
    this.touchedAt = performance.now();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.text;
    const up = scrollTop < this.top - 2;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.top = scrollTop;
    const byHand = performance.now() - this.touchedAt < BY_HAND_MS;
    if (!byHand) return;
    if (this.following && up && !atEnd) this.#follow(false);
    else if (!this.following && !up && atEnd && !this.done && !this.asking) this.#follow(true);
  }

  /** @param {string} id */
  #mark(id) {
    for (const old of this.text.querySelectorAll(".wb-line--marked")) old.classList.remove("wb-line--marked");
    const line = id ? this.screen.line(id) : null;
    if (!line) return;
    this.#follow(false);
    line.classList.add("wb-line--marked");
    line.scrollIntoView({ block: "center" });
  }
}

export function startOutputs() {
  for (const root of document.querySelectorAll("[data-output]")) if (root instanceof HTMLElement) new Output(root).start();
}
