/* Line numbers beside a text area of a fixed line height, and a way to a line of it.
 *
 * <div data-source><textarea wrap="off"></textarea></div>   the numbers are for the eyes only: a screen reader has the path of each problem */

import { element } from "./dom.js";

export class Source {
  /** @param {HTMLElement} frame @param {HTMLTextAreaElement} text */
  constructor(frame, text) {
    this.text = text;
    this.numbers = element("div", { class: "wb-source__numbers", "aria-hidden": "true" });
    /** @type {Set<number>} */
    this.wrong = new Set();
    frame.prepend(this.numbers);
    frame.classList.add("wb-source--numbered");
    text.addEventListener("input", () => this.draw());
    text.addEventListener("scroll", () => this.follow());
    text.addEventListener("keydown", (event) => this.tab(event));
    this.draw();
  }

  draw() {
    const count = this.text.value.split("\n").length;
    if (this.numbers.childElementCount !== count) {
      this.numbers.replaceChildren(...Array.from({ length: count }, (_, index) => element("span", { text: index + 1 })));
    }
    for (const [index, one] of [...this.numbers.children].entries()) one.classList.toggle("wb-source__wrong", this.wrong.has(index + 1));
    this.follow();
  }

  follow() {
    this.numbers.scrollTop = this.text.scrollTop;
  }

  /** @param {number[]} lines the lines on which something is wrong */
  mark(lines) {
    this.wrong = new Set(lines);
    this.draw();
  }

  /** Two spaces for a tab with Control held would surprise; Tab leaves the field, as everywhere, and Enter keeps the indent.
   * @param {KeyboardEvent} event */
  tab(event) {
    if (event.key !== "Enter" || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const { value, selectionStart, selectionEnd } = this.text;
    const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
    const indent = /^[ \t]*/.exec(line)?.[0] ?? "";
    const more = /[[{]\s*$/.test(line) ? "  " : "";
    if (!indent && !more) return;
    event.preventDefault();
    this.text.setRangeText(`\n${indent}${more}`, selectionStart, selectionEnd, "end");
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {number} number */
  show(number) {
    const lines = this.text.value.split("\n");
    const begin = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    this.text.focus();
    this.text.setSelectionRange(begin, begin + (lines[number - 1] ?? "").length);
    const height = this.text.scrollHeight / Math.max(lines.length, 1);
    this.text.scrollTop = Math.max(0, (number - 4) * height);
    this.follow();
  }
}

/** @param {ParentNode} place @returns {Source|null} */
export function numberLines(place) {
  const frame = place.querySelector("[data-source]");
  const text = frame?.querySelector("textarea");
  return frame instanceof HTMLElement && text instanceof HTMLTextAreaElement ? new Source(frame, text) : null;
}
