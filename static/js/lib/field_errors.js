/* What is wrong with the fields of a form, beside each of them, as the server says it while one types.
 *
 * A field is only called wrong once somebody has left it; what is right again is said at once. */

import { element, icon } from "./dom.js";

/** @param {Element} node @param {string} name @param {boolean} isThere a word of a list of ids */
function refer(node, name, isThere) {
  const words = new Set((node.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (isThere) words.add(name);
  else words.delete(name);
  if (words.size) node.setAttribute("aria-describedby", [...words].join(" "));
  else node.removeAttribute("aria-describedby");
}

/** @param {HTMLElement} control the field, or the group that stands for it @param {string} text empty if it is right */
function mark(control, text) {
  const id = `${control.id}-error`;
  const there = document.getElementById(id);
  const frame = control.closest(".wb-field");
  frame?.classList.toggle("wb-field--wrong", Boolean(text));
  refer(control, id, Boolean(text));
  if (!text) {
    control.removeAttribute("aria-invalid");
    there?.remove();
    return;
  }
  control.setAttribute("aria-invalid", "true");
  const words = there?.querySelector("span");
  if (words) {
    if (words.textContent !== text) words.textContent = text;
    return;
  }
  const told = element("p", { class: "wb-field__error", id }, icon("failed"), element("span", { text }));
  const label = control.closest("label");
  (label?.parentElement === frame ? label : control).after(told);
}

/** @param {HTMLFormElement} form */
export class FieldErrors {
  /** @param {HTMLFormElement} form @param {Record<string, string>} groups names of fields that are several controls: the id of what stands for them */
  constructor(form, groups) {
    this.form = form;
    this.groups = groups;
    /** Fields that somebody has been in and left. @type {Set<string>} */
    this.left = new Set();
    /** What is to be shown once no button is held: what moves under a pointer is missed by its click. @type {Map<string, string>|null} */
    this.later = null;
    this.isHeld = false;
    form.addEventListener("focusout", (event) => {
      const name = this.nameOf(event.target);
      if (name) this.left.add(name);
    });
    addEventListener("pointerdown", () => {
      this.isHeld = true;
    }, true);
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => this.release(), true);
  }

  release() {
    this.isHeld = false;
    // Behind the click, which comes after this.
    setTimeout(() => {
      if (this.later && !this.isHeld) this.show(this.later);
    });
  }

  /** @param {EventTarget|null} target @returns {string} the field that a control belongs to */
  nameOf(target) {
    const name = target instanceof Element ? (target.getAttribute("name") ?? "") : "";
    return name.startsWith("step_") ? "steps" : name;
  }

  /** @param {Map<string, string>} problems what is wrong now */
  show(problems) {
    this.later = this.isHeld ? problems : null;
    if (this.isHeld) return;
    const names = new Set([...this.form.elements].map((control) => this.nameOf(control)).filter(Boolean));
    const active = this.nameOf(document.activeElement);
    for (const name of names) {
      const control = document.getElementById(this.groups[name] ?? name);
      if (!control || !this.form.contains(control)) continue;
      const text = problems.get(name) ?? "";
      const isKnown = control.getAttribute("aria-invalid") === "true";
      // Nobody is told that a name is missing while typing it.
      if (text && !isKnown && (!this.left.has(name) || active === name)) continue;
      mark(control, text);
    }
  }
}
