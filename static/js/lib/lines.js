/* Output as lines, the way a terminal would leave them: after a carriage return a line is written anew, and a line that is longer
 * than anybody reads is cut into pieces so that the browser survives it. What was written over is kept beside the line: a bar of
 * progress reads as one line, and no failure can hide behind a success. Knows nothing of the document. */

import { Ansi } from "./ansi.js";

/** @typedef {import("./ansi.js").Piece} Piece */
/** @typedef {{count: number, first: string[], last: string[]}} Overwritten  count: how many texts; between first and last some are left out */
/** @typedef {{number: number, pieces: Piece[], continued: boolean, overwritten: Overwritten|null}} Line  continued: a further piece of a line that is too long */

export const LONGEST = 20000;
/** So many of the texts that were written over are kept of a line, from its beginning and from its end, each up to so many characters. */
const KEPT_FIRST = 20;
const KEPT_LAST = 80;
const KEPT_CHARACTERS = 2000;

export class Lines {
  constructor() {
    this.ansi = new Ansi();
    this.number = 1;
    this.length = 0;
    this.continued = false;
    /** A carriage return came last: whether it ends the line or begins it anew depends on what follows. */
    this.returned = false;
    /** @type {Piece[]} the line that has no end yet */
    this.open = [];
    /** @type {Overwritten|null} what this line said before */
    this.overwritten = null;
  }

  /**
   * @param {string} text
   * @returns {Line[]} the lines that are complete now; what has no end yet is in `current`
   */
  read(text) {
    /** @type {Line[]} */
    const complete = [];
    for (const piece of this.ansi.read(text)) {
      for (const part of piece.text.split(/(\r*\n|\r+)/)) if (part) this.#take(part, piece.classes, complete);
    }
    return complete;
  }

  /** @returns {Line|null} the line that has no end yet */
  get current() {
    return this.open.length ? { number: this.number, pieces: this.open, continued: this.continued, overwritten: this.overwritten } : null;
  }

  /** End the line that is open: what comes next did not follow it in truth. */
  end() {
    if (this.open.length === 0) return;
    this.#end([]);
    this.number += 1;
    this.continued = false;
    this.returned = false;
  }

  /** @param {string} part @param {string} classes @param {Line[]} complete */
  #take(part, classes, complete) {
    if (part.endsWith("\n")) {
      this.#end(complete);
      this.number += 1;
      this.continued = false;
      this.returned = false;
      return;
    }
    if (part[0] === "\r") {
      this.returned = true;
      return;
    }
    if (this.returned) {
      this.#keep(this.open.map((piece) => piece.text).join(""));
      this.open = [];
      this.length = 0;
      this.returned = false;
    }
    let rest = part;
    while (this.length + rest.length > LONGEST) {
      const room = LONGEST - this.length;
      this.open.push({ text: rest.slice(0, room), classes });
      rest = rest.slice(room);
      this.#end(complete);
      this.continued = true;
    }
    if (rest) this.open.push({ text: rest, classes });
    this.length += rest.length;
  }

  /** Keep a text that is written over; blanks hide nothing, and the same text once more is told once. @param {string} text */
  #keep(text) {
    const kept = text.length > KEPT_CHARACTERS ? `${text.slice(0, KEPT_CHARACTERS)}…` : text;
    const before = this.overwritten ?? { count: 0, first: [], last: [] };
    if (!kept.trim() || kept === (before.last.at(-1) ?? before.first.at(-1))) return;
    // Made anew: what was handed out stays as it was.
    const isFirst = before.first.length < KEPT_FIRST;
    this.overwritten = {
      count: before.count + 1,
      first: isFirst ? [...before.first, kept] : before.first,
      last: isFirst ? before.last : [...before.last.slice(1 - KEPT_LAST), kept],
    };
  }

  /** @param {Line[]} complete */
  #end(complete) {
    complete.push({ number: this.number, pieces: this.open, continued: this.continued, overwritten: this.overwritten });
    this.overwritten = null;
    this.open = [];
    this.length = 0;
  }
}
