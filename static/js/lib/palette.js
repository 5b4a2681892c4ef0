/* The command palette: Ctrl-K, or a button with data-palette-open, and then a few letters of a task, a device, a run, a page or an action.
 *
 * <form data-palette="URL of search.json" data-palette-of="ann">   where it asks, and whose choices are remembered
 * <form id="palette-act" method="post" hidden>                     what it sends for an action; it holds the CSRF token
 *
 * The server offers only what one may do, and is asked anew for what was chosen before: a task that was renamed or disabled since
 * is offered as it is now, one that is gone not at all. Every text goes into the page as text. */

import { ask } from "./dialog.js";
import { element, icon } from "./dom.js";
import { get, LoggedOut, loginLink } from "./live.js";
import { showShortcuts } from "./shortcuts.js";
import { setTheme } from "./theme.js";
import { t, tn } from "./words.js";

const DELAY_MS = 120;
const REMEMBERED = 12;
const SHOWN_RECENT = 6;
const STATE_ICONS = { queued: "waiting", claimed: "waiting", starting: "waiting", retry_wait: "waiting", cancelling: "cancelled" };

/**
 * @typedef {{key: string, kind: string, title: string, icon: string, address?: string, method?: string, detail?: string,
 *   fields?: Record<string, string>, question?: string, agree?: string, state?: string, act?: () => void}} Choice
 * @typedef {{label: string, choices: Choice[]}} Group
 */

/** @returns {HTMLElement|null} */
function source() {
  return document.querySelector("[data-palette]");
}

/** What was chosen before, the last first; of whoever is logged in, in this browser. */
const memory = {
  /** @returns {string} */
  get place() {
    return `watchbell.chosen.${source()?.dataset.paletteOf ?? ""}`;
  },

  /** @returns {string[]} */
  read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.place) ?? "[]");
      return Array.isArray(kept) ? kept.filter((key) => typeof key === "string") : [];
    } catch (problem) {
      // What another version, or somebody else, has put there is not needed.
      if (problem instanceof SyntaxError || problem instanceof DOMException) return [];
      throw problem;
    }
  },

  /** @param {string} key */
  add(key) {
    const keys = [key, ...this.read().filter((other) => other !== key)].slice(0, REMEMBERED);
    try {
      localStorage.setItem(this.place, JSON.stringify(keys));
    } catch (refused) {
      // A browser that keeps nothing for this site remembers nothing.
      if (!(refused instanceof DOMException)) throw refused;
    }
  },

  /** @param {string} kind @returns {string} the numbers of tasks, devices or runs that were chosen, or acted upon */
  numbers(kind) {
    const found = this.read().map((key) => new RegExp(`(?:^|:)${kind}:(\\d+)$`).exec(key)?.[1]);
    return [...new Set(found.filter((number) => number !== undefined))].join(",");
  },
};

/** What needs no server. @returns {Choice[]} */
function ownChoices() {
  /** @type {["light"|"dark"|"system", string][]} */
  const themes = [
    ["light", t("Switch to the light theme")],
    ["dark", t("Switch to the dark theme")],
    ["system", t("Switch to the theme of the system")],
  ];
  const switches = themes.map(([value, title]) => ({ key: `theme:${value}`, kind: "action", title, icon: value, act: () => setTheme(value) }));
  return [...switches, { key: "shortcuts", kind: "action", title: t("Show the keyboard shortcuts"), icon: "keyboard", act: showShortcuts }];
}

/** @param {string} text @param {string[]} words */
function has(text, words) {
  const small = text.toLowerCase();
  return words.every((word) => small.includes(word));
}

class Palette {
  constructor() {
    /** For which text the options are shown. @type {string|null} */
    this.shownFor = null;
    this.asked = new AbortController();
    this.timer = 0;
    /** @type {{node: HTMLElement, choice: Choice}[]} */
    this.options = [];
    this.active = -1;
    this.field = /** @type {HTMLInputElement} */ (
      element("input", {
        class: "wb-palette__field", type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "wb-palette-list", "aria-autocomplete": "list",
        "aria-label": t("Go to a page, a task, a device or a run, or do something"), placeholder: t("A task, a device, a run, a page, or “run backup”"),
        autocomplete: "off", spellcheck: "false", maxlength: 200,
      })
    );
    this.list = element("div", { class: "wb-palette__list", id: "wb-palette-list", role: "listbox", "aria-label": t("Found") });
    this.said = element("p", { class: "wb-palette__said", role: "status" });
    const close = element("button", { class: "wb-toast__close", type: "button", "aria-label": t("Close") }, icon("close"));
    this.dialog = /** @type {HTMLDialogElement} */ (
      element("dialog", { class: "wb-dialog wb-palette", "aria-label": t("Commands") }, element("div", { class: "wb-palette__head" }, icon("search"), this.field, close), this.list, this.said)
    );
    close.addEventListener("click", () => this.dialog.close());
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("close", () => this.#closed());
  }

  open() {
    this.before = document.activeElement;
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.field.focus();
    void this.#find();
  }

  #closed() {
    clearTimeout(this.timer);
    this.asked.abort();
    this.dialog.remove();
    if (this.before instanceof HTMLElement && this.before.isConnected) this.before.focus();
  }

  #typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.#find(), DELAY_MS);
  }

  async #find() {
    this.asked.abort();
    const asked = (this.asked = new AbortController());
    const text = this.field.value.trim();
    const address = new URL(source()?.dataset.palette ?? "", location.href);
    address.searchParams.set("q", text);
    address.searchParams.set("in", "tasks,devices,runs,pages");
    for (const kind of ["task", "device", "run"]) if (memory.numbers(kind)) address.searchParams.set(kind, memory.numbers(kind));
    try {
      const told = await (await get(address.href, { signal: asked.signal, accept: "application/json" })).json();
      if (asked.signal.aborted) return;
      this.#show(this.#groups(text, told));
      this.shownFor = text;
    } catch (problem) {
      if (asked.signal.aborted) return;
      this.#show([{ label: t("Actions"), choices: this.#own(text) }]);
      this.shownFor = text;
      const link = problem instanceof LoggedOut ? loginLink() : null;
      this.said.replaceChildren(problem instanceof LoggedOut ? t("You are logged out.") : t("The server does not answer."), ...(link ? [" ", link] : []));
    }
  }

  /** @param {string} text @returns {Choice[]} */
  #own(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return ownChoices().filter((choice) => has(choice.title, words));
  }

  /** @param {string} text @param {any} told @returns {Group[]} */
  #groups(text, told) {
    const recent = memory.read();
    const rank = (/** @type {Choice} */ { key }) => (recent.includes(key) ? recent.indexOf(key) : REMEMBERED);
    const sorted = (/** @type {Choice[]} */ choices) => choices.map((choice, n) => ({ choice, n })).sort((a, b) => rank(a.choice) - rank(b.choice) || a.n - b.n).map(({ choice }) => choice);
    const actions = [...told.actions, ...this.#own(text)];
    if (!text) {
      const all = new Map([...told.known, ...told.pages, ...actions].map((choice) => [choice.key, choice]));
      const again = recent.map((key) => all.get(key)).filter((choice) => choice !== undefined).slice(0, SHOWN_RECENT);
      const rest = (/** @type {Choice[]} */ choices) => choices.filter((choice) => !again.includes(choice));
      return [
        { label: t("Chosen before"), choices: again },
        { label: t("Pages"), choices: rest(told.pages) },
        { label: t("Actions"), choices: rest(actions) },
      ];
    }
    const everything = { key: "", kind: "page", title: t("Search everything for “%(text)s”", { text }), icon: "search", address: `${source()?.getAttribute("action")}?q=${encodeURIComponent(text)}` };
    const groups = [
      { label: t("Tasks"), choices: sorted(told.tasks) },
      { label: t("Actions"), choices: sorted(actions) },
      { label: t("Devices"), choices: sorted(told.devices) },
      { label: t("Pages"), choices: sorted(told.pages) },
      { label: t("Runs"), choices: sorted(told.runs) },
      { label: t("More"), choices: [everything] },
    ];
    // "run backup" is an order: what it does comes first.
    const isOrder = told.actions.some((/** @type {Choice} */ { key }) => key.startsWith(`${text.split(/\s/)[0].toLowerCase()}:`)) && /\s/.test(text);
    return isOrder ? [groups[1], groups[0], ...groups.slice(2)] : groups;
  }

  /** @param {Group[]} groups */
  #show(groups) {
    this.options = [];
    this.list.replaceChildren();
    for (const [n, { label, choices }] of groups.filter((group) => group.choices.length).entries()) {
      const title = element("div", { class: "wb-palette__label", id: `wb-palette-group-${n}`, role: "presentation", text: label });
      const group = element("div", { role: "group", "aria-labelledby": title.id }, title);
      for (const choice of choices) group.append(this.#option(choice));
      this.list.append(group);
    }
    const count = this.options.filter(({ choice }) => choice.key).length;
    this.said.textContent = count || !this.options.length ? tn("%(num)s choice", "%(num)s choices", count) : t("Nothing has such a name");
    this.#activate(0);
  }

  /** @param {Choice} choice @returns {HTMLElement} */
  #option(choice) {
    const number = this.options.length;
    const isLink = choice.address !== undefined && choice.method !== "POST" && this.#isOurs(choice.address);
    const state = choice.state ? element("span", { class: `wb-status wb-tone-${this.#mark(choice.state)}` }, icon(this.#mark(choice.state))) : null;
    const node = element(
      isLink ? "a" : "div",
      { class: "wb-palette__option", role: "option", id: `wb-palette-${number}`, "aria-selected": "false", href: isLink ? choice.address : null, tabindex: -1 },
      state ?? icon(choice.icon),
      element("span", { class: "wb-palette__title", text: choice.title }),
      choice.detail ? element("span", { class: "wb-palette__detail", text: choice.detail }) : null,
    );
    node.addEventListener("pointermove", () => this.#activate(number, false));
    node.addEventListener("click", (event) => {
      if (isLink && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
      event.preventDefault();
      void this.#choose(choice);
    });
    this.options.push({ node, choice });
    return node;
  }

  /** @param {string} state */
  #mark(state) {
    return STATE_ICONS[/** @type {keyof typeof STATE_ICONS} */ (state)] ?? state;
  }

  /** @param {string} address */
  #isOurs(address) {
    return new URL(address, location.href).origin === location.origin;
  }

  /** @param {number} number @param {boolean} [scrolls] */
  #activate(number, scrolls = true) {
    this.options[this.active]?.node.setAttribute("aria-selected", "false");
    this.active = this.options.length ? (number + this.options.length) % this.options.length : -1;
    const node = this.options[this.active]?.node;
    if (!node) {
      this.field.removeAttribute("aria-activedescendant");
      return;
    }
    node.setAttribute("aria-selected", "true");
    this.field.setAttribute("aria-activedescendant", node.id);
    if (scrolls) node.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") this.#activate(this.active + 1);
    else if (event.key === "ArrowUp") this.#activate(this.active - 1);
    else if (event.key === "Enter") void this.#enter();
    else return;
    event.preventDefault();
  }

  /** What was typed since the last answer is looked for first: nobody's run starts because its name stood there before. */
  async #enter() {
    clearTimeout(this.timer);
    if (this.field.value.trim() !== this.shownFor) await this.#find();
    const chosen = this.options[this.active]?.choice;
    if (chosen && this.dialog.open) await this.#choose(chosen);
  }

  /** @param {Choice} choice */
  async #choose(choice) {
    if (choice.key) memory.add(choice.key);
    this.dialog.close();
    if (choice.act) {
      choice.act();
      return;
    }
    if (choice.address === undefined || !this.#isOurs(choice.address)) return;
    if (choice.method !== "POST") {
      location.assign(choice.address);
      return;
    }
    if (choice.question) {
      const cut = choice.question.indexOf("?") + 1;
      const isSure = await ask({ title: choice.question.slice(0, cut), text: choice.question.slice(cut).trim(), action: choice.agree ?? t("Go on") });
      if (!isSure) return;
    }
    send(choice.address, { next: location.pathname + location.search, ...choice.fields });
  }
}

/** @param {string} address @param {Record<string, string>} fields */
function send(address, fields) {
  const form = document.getElementById("palette-act");
  if (!(form instanceof HTMLFormElement)) return;
  for (const old of form.querySelectorAll("[data-added]")) old.remove();
  for (const [name, value] of Object.entries(fields)) form.append(element("input", { type: "hidden", name, value, "data-added": true }));
  form.action = address;
  form.requestSubmit();
}

export function openPalette() {
  if (!source() || document.querySelector("dialog[open]")) return;
  new Palette().open();
}

export function startPalette() {
  if (!source()) return;
  for (const button of document.querySelectorAll("[data-palette-open]")) {
    if (!(button instanceof HTMLElement)) continue;
    button.hidden = false;
    button.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      openPalette();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    openPalette();
  });
}
