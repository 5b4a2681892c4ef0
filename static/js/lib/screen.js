/* The terminal of an output: lines in blocks that the browser leaves alone while they are out of sight. Two streams may share one;
 * a line that has no end yet stays where it began, whatever the other stream says meanwhile. */

import { visible } from "./ansi.js";
import { element } from "./dom.js";
import { Lines } from "./lines.js";
import { t, tn } from "./words.js";

const BLOCK = 200;

/** One stream: its lines, their look, and the one that has no end yet. */
class Voice {
  /** @param {string} prefix of the lines' ids: two streams may stand on one page */
  constructor(prefix) {
    this.prefix = prefix;
    this.lines = new Lines();
    /** @type {HTMLElement|null} */
    this.open = null;
  }
}

export class Screen {
  /** @param {HTMLElement} place @param {string} stream stdout, stderr or both */
  constructor(place, stream) {
    this.place = place;
    this.isShared = stream === "both";
    this.voices = { stdout: new Voice("L"), stderr: new Voice("E") };
    this.main = stream === "stderr" ? "stderr" : "stdout";
    /** @type {HTMLElement|null} */
    this.block = null;
    this.rows = 0;
    /** Whether lines have made room for newer ones. */
    this.isCut = false;
    /** @type {HTMLElement|null} what is said in place of the lines that made room */
    this.left = null;
  }

  clear() {
    this.place.replaceChildren();
    this.rows = 0;
    this.left = null;
    this.place.classList.remove("wb-terminal--plain");
  }

  /** @param {string} text @param {string} [stream] @param {string} [at] when it was written, in words @param {number} [most] lines of it that are drawn, the newest */
  add(text, stream = this.main, at = "", most = Infinity) {
    const voice = stream === "stderr" ? this.voices.stderr : this.voices.stdout;
    const number = voice.open ? voice.lines.number : 0;
    let lines = voice.lines.read(text);
    const unfinished = voice.lines.current;
    if (unfinished) lines.push(unfinished);
    if (lines.length > most) {
      // They would make room for each other at once, and drawing them takes a browser longer than anything else here.
      this.forget(0);
      lines = lines.slice(-most);
      this.#tellCut();
    }
    let before = voice.open;
    let row = null;
    for (const line of lines) {
      row = this.#row(line, voice, at);
      if (before && line.number === number) {
        // The beginning of this line stands there already, and what was unfolded in it stays so.
        const [wasOpen, mark] = [before.querySelector("details")?.open, row.querySelector("details")];
        if (wasOpen && mark) mark.open = true;
        if (line === lines[0]) before.replaceWith(row);
        else before.after(row);
        if (line !== lines[0]) this.rows += 1;
        before = row;
      } else this.#append(row);
    }
    voice.open = unfinished ? row : null;
    const digits = String(Math.max(this.voices.stdout.lines.number, this.voices.stderr.lines.number)).length;
    this.place.style.setProperty("--wb-gutter", `${Math.max(digits, 3) + 3 + (this.isShared ? 2 : 0)}ch`);
  }

  /** @param {string} text @param {string} [stream] */
  note(text, stream = this.main) {
    const voice = stream === "stderr" ? this.voices.stderr : this.voices.stdout;
    this.block = null;
    voice.open = null;
    voice.lines.end();
    this.place.append(element("span", { class: "wb-line__gap", text }));
  }

  /** Keep the newest lines only. @param {number} most */
  forget(most) {
    for (const block of this.place.querySelectorAll(".wb-lines")) {
      if (this.rows - block.childElementCount < most) break;
      this.rows -= block.childElementCount;
      if (this.block === block) this.block = null;
      this.#tellCut(block);
      block.remove();
    }
    // What goes on after its beginning has made room is drawn anew.
    for (const voice of Object.values(this.voices)) if (!voice.open?.isConnected) voice.open = null;
  }

  /** Say where lines have made room. @param {Element} [place] before which it is said, at the end without one */
  #tellCut(place) {
    this.isCut = true;
    if (this.left) return;
    this.left = element("span", { class: "wb-line__gap", text: t("What comes before is not shown here; it is in the raw download.") });
    this.place.insertBefore(this.left, place ?? null);
  }

  /** @param {string} id such as L12 @returns {HTMLElement|null} */
  line(id) {
    return this.place.querySelector(`#${id}`);
  }

  /** @param {string} prefix @returns {boolean} whether lines with such ids stand here */
  has(prefix) {
    return this.isShared || this.voices[this.main].prefix === prefix;
  }

  /** @param {HTMLElement} row */
  #append(row) {
    if (!this.block || this.block.childElementCount >= BLOCK) {
      this.block = element("div", { class: "wb-lines" });
      this.place.append(this.block);
    }
    this.block.append(row);
    this.rows += 1;
  }

  /** @param {import("./lines.js").Line} line @param {Voice} voice @param {string} at */
  #row(line, voice, at) {
    const text = element("span", { class: "wb-line__text" });
    if (line.overwritten) text.append(this.#overwritten(line.overwritten));
    for (const piece of line.pieces) text.append(...this.#spans(piece));
    const id = `${voice.prefix}${line.number}`;
    const isError = this.isShared && voice.prefix === "E";
    const shown = isError ? `err ${line.number}` : line.number;
    const label = isError ? t("Line %(number)s of stderr", { number: line.number }) : t("Line %(number)s", { number: line.number });
    const number = line.continued
      ? element("span", { class: "wb-line__number" })
      : element("a", { class: "wb-line__number", href: `#${id}`, "data-line": shown, tabindex: -1, "aria-label": label, title: at || null });
    return element("div", { class: `wb-line${isError ? " wb-line--err" : ""}`, id: line.continued ? null : id }, number, text);
  }

  /** A mark that unfolds what the line said before. @param {import("./lines.js").Overwritten} overwritten */
  #overwritten({ count, first, last }) {
    const row = (/** @type {string} */ text) => element("span", { class: "wb-overwritten__text" }, ...this.#spans({ text, classes: "" }));
    const left = count - first.length - last.length;
    const gap = left > 0 ? [element("span", { class: "wb-overwritten__text", text: tn("… %(num)s more, in the raw download", "… %(num)s more, in the raw download", left) })] : [];
    const mark = element("summary", { title: t("The command wrote over this text. Unfold it to read what it said before.") }, tn("%(num)s overwritten", "%(num)s overwritten", count));
    return element("details", { class: "wb-overwritten" }, mark, ...first.map(row), ...gap, ...last.map(row));
  }

  /** @param {import("./ansi.js").Piece} piece */
  #spans(piece) {
    const parts = visible(piece.text);
    if (!piece.classes && parts.length === 1 && !parts[0].control) return [document.createTextNode(piece.text)];
    return parts.map((part) => element("span", { class: `${piece.classes}${part.control ? " wb-control-char" : ""}`.trim() || null, text: part.text }));
  }
}
