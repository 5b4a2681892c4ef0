/* The live output of a run, or the scheduler's log. templates/_macros/output.html makes the markup; without scripts it shows what
 * the server has put into it.
 *
 * <div data-output data-url="URL" data-stream="stdout" data-live-output>
 *   The URL is asked with ?stream=&offset= and answers {text, next_offset, size, dropped, done}:
 *   next_offset   where to go on; equal to the offset asked for when there is nothing more at the moment
 *   size          bytes the command has written
 *   dropped       [from, to]: the range that was not kept; null nearly always. Offsets count it, so next_offset jumps over it
 *   done          nothing will come any more
 *   [data-output-text] the terminal · [data-output-state] words on progress · buttons [data-output-wrap] [data-output-follow]
 *   [data-output-end] [data-output-more]
 * The text comes in as text nodes only: nothing a command writes can become markup. */

import { visible } from "./ansi.js";
import { element } from "./dom.js";
import { Lines } from "./lines.js";
import { get, poll } from "./live.js";

const EVERY_MS = 1000;
const BLOCK = 200;
/** After this much the reader is asked before more is loaded, unless they follow the end. */
const ASK_AFTER = 2 * 1024 * 1024;
/** And after so many lines: a browser stands still for minutes when it draws a million of them, however short they are. */
const ASK_AFTER_LINES = 20000;
/** While the end is followed so many lines stay, and the oldest make room. */
const KEPT_LINES = 20000;
const NEAR_END_PX = 24;
const BY_HAND_MS = 700;
const WRAP = "watchbell.wrap";

/** @param {number} bytes */
function amount(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** The terminal: lines in blocks that the browser leaves alone while they are out of sight. */
class Screen {
  /** @param {HTMLElement} place @param {string} prefix of the lines' ids: two terminals may stand on one page */
  constructor(place, prefix) {
    this.place = place;
    this.prefix = prefix;
    this.lines = new Lines();
    /** @type {HTMLElement|null} */
    this.block = null;
    /** @type {HTMLElement|null} the line that has no end yet */
    this.open = null;
    this.rows = 0;
    /** @type {HTMLElement|null} what is said in place of the lines that made room */
    this.left = null;
  }

  clear() {
    this.place.replaceChildren();
    this.rows = 0;
    this.left = null;
    this.place.classList.remove("wb-terminal--plain");
  }

  /** @param {string} text */
  add(text) {
    if (this.open) {
      this.open.remove();
      this.rows -= 1;
    }
    this.open = null;
    for (const line of this.lines.read(text)) this.#append(line);
    if (this.lines.current) this.open = this.#append(this.lines.current);
    const digits = String(this.lines.number).length;
    this.place.style.setProperty("--wb-gutter", `${Math.max(digits, 3) + 3}ch`);
  }

  /** @param {string} text */
  note(text) {
    this.block = null;
    this.open = null;
    this.lines.end();
    this.place.append(element("span", { class: "wb-line__gap", text }));
  }

  /** Keep the newest lines only. @param {number} most */
  forget(most) {
    for (const block of this.place.querySelectorAll(".wb-lines")) {
      if (this.rows - block.childElementCount < most) return;
      this.rows -= block.childElementCount;
      if (this.left) block.remove();
      else {
        this.left = element("span", { class: "wb-line__gap", text: "What comes before is not shown here; it is in the raw download." });
        block.replaceWith(this.left);
      }
    }
  }

  /** @param {number} number @returns {HTMLElement|null} */
  line(number) {
    return this.place.querySelector(`#${this.prefix}${number}`);
  }

  /** @param {import("./lines.js").Line} line */
  #append(line) {
    if (!this.block || this.block.childElementCount >= BLOCK) {
      this.block = element("div", { class: "wb-lines" });
      this.place.append(this.block);
    }
    const text = element("span", { class: "wb-line__text" });
    for (const piece of line.pieces) text.append(...this.#spans(piece));
    const number = line.continued
      ? element("span", { class: "wb-line__number" })
      : element("a", { class: "wb-line__number", href: `#${this.prefix}${line.number}`, "data-line": line.number, tabindex: -1, "aria-label": `Line ${line.number}` });
    const row = element("div", { class: "wb-line", id: line.continued ? null : `${this.prefix}${line.number}` }, number, text);
    this.block.append(row);
    this.rows += 1;
    return row;
  }

  /** @param {import("./ansi.js").Piece} piece */
  #spans(piece) {
    const parts = visible(piece.text);
    if (!piece.classes && parts.length === 1 && !parts[0].control) return [document.createTextNode(piece.text)];
    return parts.map((part) => element("span", { class: `${piece.classes}${part.control ? " wb-control-char" : ""}`.trim() || null, text: part.text }));
  }
}

class Output {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.text = /** @type {HTMLElement} */ (root.querySelector("[data-output-text]"));
    this.screen = new Screen(this.text, root.dataset.stream === "stderr" ? "E" : "L");
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

  /** @returns {number} the line that the address points at, 0 without one of this terminal's */
  #lineInAddress() {
    const found = /^#([LE])(\d+)$/.exec(location.hash);
    return found && found[1] === this.screen.prefix ? Number(found[2]) : 0;
  }

  /** @returns {number} bytes that have come */
  get shown() {
    return this.offset - this.skipped;
  }

  start() {
    this.#buttons();
    this.text.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    for (const type of ["wheel", "touchmove", "keydown", "pointerdown", "pointermove"]) {
      this.text.addEventListener(type, (event) => this.#touched(event), { passive: true });
    }
    addEventListener("hashchange", () => this.#mark(this.#lineInAddress()));
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
    this.#wrap(sessionStorage.getItem(WRAP) === "on");
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
      address.searchParams.set("offset", String(this.offset));
      const answer = await (await get(address.href, { signal, accept: "application/json" })).json();
      const more = answer.next_offset > this.offset;
      this.#take(answer);
      if (!more) return !this.done;
    }
  }

  /** @param {{text: string, next_offset: number, size: number, dropped: [number, number]|null, done: boolean}} answer */
  #take(answer) {
    if (!this.started) {
      this.started = true;
      this.screen.clear();
    }
    const [from, to] = answer.dropped ?? [Infinity, Infinity];
    // A text that begins behind the gap was asked for from inside it; one that ends at the gap is followed by it.
    if (this.offset > from && this.offset < to) this.#gap(to - from);
    if (answer.text) this.screen.add(answer.text);
    if (this.following) this.screen.forget(KEPT_LINES);
    if (this.offset <= from && answer.next_offset >= to) this.#gap(to - from);
    this.offset = answer.next_offset;
    this.size = answer.size;
    this.done = answer.done;
    if (this.wanted && this.screen.line(this.wanted)) {
      this.#mark(this.wanted);
      this.wanted = 0;
    }
    this.#show();
    if (this.following) this.#toEnd();
  }

  /** @param {number} bytes */
  #gap(bytes) {
    this.skipped += bytes;
    this.screen.note(`${amount(bytes)} dropped here: the command wrote more than is kept.`);
  }

  #show() {
    const state = this.root.querySelector("[data-output-state]");
    const more = this.root.querySelector("[data-output-more]");
    if (more instanceof HTMLElement) more.hidden = !this.asking;
    if (this.done && this.size === 0 && this.started) {
      this.screen.clear();
      this.text.classList.add("wb-terminal--plain");
      this.text.append(element("span", { class: "wb-muted", text: `The command wrote nothing to ${this.root.dataset.stream || "its output"}.` }));
    }
    if (!state) return;
    const written = this.asking ? `${amount(this.shown)} of ${amount(this.size)} shown` : amount(this.size);
    state.textContent = this.done ? written : `${written} so far`;
  }

  /** @param {boolean} on */
  #wrap(on) {
    this.text.classList.toggle("wb-terminal--wrap", on);
    this.root.querySelector("[data-output-wrap]")?.setAttribute("aria-pressed", String(on));
    sessionStorage.setItem(WRAP, on ? "on" : "off");
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

  /** @param {number} number */
  #mark(number) {
    for (const old of this.text.querySelectorAll(".wb-line--marked")) old.classList.remove("wb-line--marked");
    const line = number ? this.screen.line(number) : null;
    if (!line) return;
    this.#follow(false);
    line.classList.add("wb-line--marked");
    line.scrollIntoView({ block: "center" });
  }
}

export function startOutputs() {
  for (const root of document.querySelectorAll("[data-output]")) if (root instanceof HTMLElement) new Output(root).start();
}
