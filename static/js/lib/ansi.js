/* What a command has written, made fit to be shown: SGR colours are kept, every other escape sequence is dropped, control
 * characters become visible signs. Knows nothing of the document, so it can be tested by itself. */

/** @typedef {{text: string, classes: string}} Piece  a run of text that looks the same; classes are of run.css */

/* Each kind of sequence, tried where an escape character stands. All are bounded, so that hostile output costs linear time. */
const START = /[\x1b\x9b]/g;
const CONTROL = /(?:\x1b\[|\x9b)([0-?]{0,64})[ -/]{0,8}[@-~]/y;
const STRING = /\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)/y;
const SHORT = /\x1b(?:[ -/]{1,8}[0-~]|[0-Z\\-~])/y;
/** The beginning of a sequence whose end has not arrived yet. */
const UNFINISHED = /^(?:(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}|\x1b[\]PX^_][^\x07\x1b]{0,4096}\x1b?|\x1b[ -/]{0,8})$/;
/** Longer than any sequence that is waited for. */
const WAIT = 4200;
const FLAGS = /** @type {Record<number, string>} */ ({ 1: "bold", 2: "dim", 3: "italic", 4: "underline", 9: "strike" });
const UNFLAG = /** @type {Record<number, string[]>} */ ({ 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 29: ["strike"] });

export class Ansi {
  constructor() {
    /** @type {Set<string>} */
    this.flags = new Set();
    this.front = "";
    this.back = "";
    this.rest = "";
  }

  /** @returns {string} */
  get classes() {
    const names = [...this.flags].map((flag) => `wb-sgr-${flag}`);
    if (this.front) names.push(`wb-sgr-f${this.front}`);
    if (this.back) names.push(`wb-sgr-b${this.back}`);
    return names.join(" ");
  }

  /**
   * @param {string} text the next stretch of the output; a sequence cut in two by its end waits for the next
   * @returns {Piece[]}
   */
  read(text) {
    const input = this.#withoutUnfinished(this.rest + text);
    /** @type {Piece[]} */
    const pieces = [];
    let from = 0;
    for (let at = nextEscape(input, 0); at >= 0; at = nextEscape(input, from)) {
      this.#push(pieces, input.slice(from, at));
      from = at + this.#sequence(input, at);
    }
    this.#push(pieces, input.slice(from));
    return pieces;
  }

  /** @param {string} input @returns {string} */
  #withoutUnfinished(input) {
    this.rest = "";
    const tail = input.slice(-WAIT);
    // A string sequence may end in the first half of its own end, so the last two escapes can be its beginning.
    const last = Math.max(tail.lastIndexOf("\x1b"), tail.lastIndexOf("\x9b"));
    const before = last > 0 && last === tail.length - 1 ? tail.lastIndexOf("\x1b", last - 1) : -1;
    for (const at of [before, last]) {
      if (at < 0 || !UNFINISHED.test(tail.slice(at))) continue;
      this.rest = tail.slice(at);
      return input.slice(0, input.length - this.rest.length);
    }
    return input;
  }

  /** @param {string} input @param {number} at @returns {number} how long the sequence is that begins there */
  #sequence(input, at) {
    CONTROL.lastIndex = at;
    const control = CONTROL.exec(input);
    if (control) {
      if (control[0].endsWith("m") && /^[\d;:]*$/.test(control[1])) this.#select(control[1]);
      return control[0].length;
    }
    for (const kind of [STRING, SHORT]) {
      kind.lastIndex = at;
      const match = kind.exec(input);
      if (match) return match[0].length;
    }
    return 1;
  }

  /** @param {Piece[]} pieces @param {string} text */
  #push(pieces, text) {
    if (text) pieces.push({ text, classes: this.classes });
  }

  /** @param {string} parameters such as "1;31" */
  #select(parameters) {
    const numbers = parameters.split(/[;:]/).map(Number);
    for (let n = 0; n < numbers.length; n += 1) {
      const code = numbers[n];
      if (code === 0) this.#reset();
      else if (FLAGS[code]) this.flags.add(FLAGS[code]);
      else if (UNFLAG[code]) for (const flag of UNFLAG[code]) this.flags.delete(flag);
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) this.front = String(code % 10);
      else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) this.back = String(code % 10);
      else if (code === 39) this.front = "";
      else if (code === 49) this.back = "";
      else if (code === 38 || code === 48) n += this.#extended(code, numbers.slice(n + 1));
    }
  }

  #reset() {
    this.flags.clear();
    this.front = "";
    this.back = "";
  }

  /**
   * 38;5;n and 38;2;r;g;b: shown as the nearest of the eight colours, which are the ones that can be read on our ground.
   * @param {number} code @param {number[]} following
   * @returns {number} how many numbers were used
   */
  #extended(code, following) {
    const [mode, ...values] = following;
    const used = mode === 5 ? 2 : mode === 2 ? 4 : 0;
    if (used === 0 || following.length < used) return following.length;
    const colour = mode === 5 ? fromPalette(values[0]) : nearest(values[0], values[1], values[2]);
    if (code === 38) this.front = colour;
    else this.back = colour;
    return used;
  }
}

/** @param {string} input @param {number} from @returns {number} */
function nextEscape(input, from) {
  START.lastIndex = from;
  return START.exec(input)?.index ?? -1;
}

/** @param {number} n */
function fromPalette(n) {
  if (n < 16) return String(n % 8);
  if (n >= 232) return n < 244 ? "0" : "7";
  const level = (/** @type {number} */ step) => (step === 0 ? 0 : 55 + step * 40);
  const cube = n - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

/** @param {number} red @param {number} green @param {number} blue */
function nearest(red, green, blue) {
  const high = Math.max(red, green, blue);
  if (high - Math.min(red, green, blue) < 40) return high < 140 ? "0" : "7";
  const bit = (/** @type {number} */ value) => (value > high * 0.6 ? 1 : 0);
  return String(bit(red) + 2 * bit(green) + 4 * bit(blue));
}

/**
 * Split text into what can be shown as it is and signs for control characters (NUL becomes ^@).
 * @param {string} text
 * @returns {{text: string, control: boolean}[]}
 */
export function visible(text) {
  /** @type {{text: string, control: boolean}[]} */
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]+/g)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), control: false });
    parts.push({ text: [...match[0]].map(sign).join(""), control: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), control: false });
  return parts;
}

/** @param {string} character */
function sign(character) {
  const code = character.charCodeAt(0);
  return code < 0x80 ? `^${String.fromCharCode(code ^ 0x40)}` : "\ufffd";
}
