/* A search in a terminal: hits are counted and highlighted while one types, Enter goes to the next and Shift-Enter to the previous
 * one, Escape ends it. It looks at what is loaded, and says so where that is not all. Nothing of the text is changed: the browser
 * draws the highlights over it, or marks the lines where it cannot.
 *
 * <form data-output-find> <input type=search> [data-output-find-go] [data-output-find-on] [data-output-find-back] [data-output-hits]
 *   [data-output-find-all] asks the server, where not all is loaded
 * Without scripts the form asks the server, which lists the lines. */

import { grouped, t, tn } from "./words.js";

const PAUSE_MS = 150;
/** So many hits are counted, and so many of them drawn. */
const MOST_HITS = 100000;
const MOST_DRAWN = 5000;
const NAME = "wb-find";
const NOW = "wb-find-now";

/** @typedef {{row: HTMLElement, from: number, to: number}} Hit */

/** Whatever terminals stand on the page share the browser's two kinds of highlights. */
const all = new Set();

export class Finder {
  /** @param {HTMLFormElement} form @param {HTMLElement} text the terminal @param {() => void} stay called before one is taken to a hit */
  constructor(form, text, stay) {
    this.form = form;
    this.text = text;
    this.stay = stay;
    this.box = /** @type {HTMLInputElement} */ (form.querySelector("input[type=search]"));
    this.said = form.querySelector("[data-output-hits]");
    this.all = form.querySelector("[data-output-find-all]");
    /** @type {Hit[]} */
    this.hits = [];
    this.at = -1;
    this.left = "";
    /** @type {Range[]} */
    this.ranges = [];
    this.timer = 0;
    all.add(this);
  }

  start() {
    for (const name of ["on", "back"]) this.form.querySelector(`[data-output-find-${name}]`)?.removeAttribute("hidden");
    this.form.querySelector("[data-output-find-go]")?.setAttribute("hidden", "");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#step(1);
    });
    this.form.querySelector("[data-output-find-on]")?.addEventListener("click", () => this.#step(1));
    this.form.querySelector("[data-output-find-back]")?.addEventListener("click", () => this.#step(-1));
    // Sent as without scripts: the server looks through all that is kept.
    this.all?.addEventListener("click", () => this.form.submit());
    this.box.addEventListener("input", () => this.#soon());
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        this.#step(-1);
      } else if (event.key === "Escape" && this.box.value) {
        event.preventDefault();
        this.box.value = "";
        this.#look();
      }
    });
  }

  /** Look again, since there is more to look at. @param {string} left in words, what is not loaded */
  refresh(left) {
    this.left = left;
    if (this.box.value) this.#soon();
    else this.#say();
  }

  #soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.#look();
    }, PAUSE_MS);
  }

  #look() {
    const words = this.box.value.toLowerCase();
    const current = this.hits[this.at];
    this.hits = words ? this.#find(words) : [];
    this.at = current ? this.hits.findIndex((hit) => hit.row === current.row && hit.from === current.from) : -1;
    this.#draw();
    this.#say();
  }

  /** @param {string} words @returns {Hit[]} */
  #find(words) {
    /** @type {Hit[]} */
    const hits = [];
    for (const row of this.text.querySelectorAll(".wb-line")) {
      const text = (row.lastElementChild?.textContent ?? "").toLowerCase();
      for (let from = text.indexOf(words); from >= 0; from = text.indexOf(words, from + words.length)) {
        hits.push({ row: /** @type {HTMLElement} */ (row), from, to: from + words.length });
        if (hits.length >= MOST_HITS) return hits;
      }
    }
    return hits;
  }

  /** @param {number} by */
  #step(by) {
    if (this.timer) {
      clearTimeout(this.timer);
      this.timer = 0;
      this.#look();
    }
    const count = this.hits.length;
    if (!count) return;
    this.at = this.at < 0 ? (by > 0 ? 0 : count - 1) : (this.at + by + count) % count;
    this.stay();
    this.#draw();
    this.#say();
    const hit = this.hits[this.at];
    const range = rangeOf(hit);
    // It may stand in what was overwritten.
    range?.startContainer.parentElement?.closest("details")?.setAttribute("open", "");
    hit.row.scrollIntoView({ block: "center" });
    // A long line may hold it far to the right.
    const place = range?.getBoundingClientRect();
    const frame = this.text.getBoundingClientRect();
    if (place && (place.right > frame.right || place.left < frame.left)) this.text.scrollLeft += place.left - frame.left - frame.width / 3;
  }

  #draw() {
    for (const row of this.text.querySelectorAll(".wb-line--found")) row.classList.remove("wb-line--found");
    const now = this.hits[this.at];
    if (typeof Highlight === "undefined" || !CSS.highlights) {
      for (const hit of this.hits.slice(0, MOST_DRAWN)) hit.row.classList.add("wb-line--found");
      return;
    }
    this.ranges = this.hits.slice(0, MOST_DRAWN).flatMap((hit) => rangeOf(hit) ?? []);
    this.now = now ? rangeOf(now) : null;
    CSS.highlights.set(NAME, new Highlight(...[...all].flatMap((finder) => finder.ranges)));
    const current = new Highlight(...[...all].flatMap((finder) => finder.now ?? []));
    current.priority = 1;
    CSS.highlights.set(NOW, current);
  }

  #say() {
    if (!this.said) return;
    const count = this.hits.length;
    const many = `${grouped(count)}${count >= MOST_HITS ? "+" : ""}`;
    let words = "";
    if (this.box.value) {
      if (!count) words = t("no match");
      else words = this.at < 0 ? tn("%(n)s match", "%(n)s matches", count, { n: many }) : t("%(at)s of %(n)s", { at: grouped(this.at + 1), n: many });
      if (this.left) words += ` (${this.left})`;
    }
    this.said.textContent = words;
    this.all?.toggleAttribute("hidden", !(this.box.value && this.left));
  }
}

/** @param {Hit} hit @returns {Range|null} */
function rangeOf(hit) {
  const text = hit.row.lastElementChild;
  if (!text) return null;
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let place = 0;
  let hasBegun = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = node.nodeValue?.length ?? 0;
    if (!hasBegun && hit.from < place + length) {
      range.setStart(node, hit.from - place);
      hasBegun = true;
    }
    if (hasBegun && hit.to <= place + length) {
      range.setEnd(node, hit.to - place);
      return range;
    }
    place += length;
  }
  return null;
}
