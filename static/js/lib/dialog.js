/* Harm asks first, by naming what it concerns.
 *
 * <form data-confirm="Delete 3 tasks?" data-confirm-action="Delete">        asks before the form is sent
 *   data-confirm-title="Delete tasks"      a heading of its own; else the question is the heading
 *   data-confirm-for="input[name=task]"    the ticked boxes concerned: {n} and {s} in the texts become their number and a plural s,
 *                                          and their data-name is listed (the first 12); without any ticked box nothing is sent
 *   data-confirm-kind="plain"              for what does no harm but should be deliberate; else the button is red
 * A submit button may carry data-confirm itself; then only that button asks. */

import { element } from "./dom.js";
import { toast } from "./toast.js";
import { grouped, t } from "./words.js";

const LISTED = 12;

/** Forms whose question has been answered with yes. @type {WeakSet<HTMLFormElement>} */
const agreed = new WeakSet();

/**
 * Ask; the safe answer has the focus, and Escape or a click beside the dialog means no.
 * @param {{title: string, text?: string, names?: string[], more?: number, action: string, harmless?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text = "", names = [], more = 0, action, harmless = false }) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const list = element("ul", { class: "wb-dialog__names" }, ...names.map((name) => element("li", { text: name })));
    if (more > 0) list.append(element("li", { text: t("and %(num)s more", { num: more }) }));
    const no = element("button", { class: "btn", type: "submit", value: "no", text: t("Cancel") });
    const look = harmless ? "btn btn-primary" : "btn wb-button--danger";
    const yes = element("button", { class: look, type: "submit", value: "yes", text: action });
    const dialog = /** @type {HTMLDialogElement} */ (
      element(
        "dialog",
        { class: "wb-dialog", "aria-labelledby": "wb-dialog-title" },
        element(
          "form",
          { method: "dialog" },
          element(
            "div",
            { class: "wb-dialog__body" },
            element("h2", { id: "wb-dialog-title", text: title }),
            text ? element("p", { text }) : null,
            names.length ? list : null,
          ),
          element("div", { class: "wb-dialog__acts" }, no, yes),
        ),
      )
    );
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("no");
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}

/** @param {string} text @param {number} n */
function fill(text, n) {
  return text.replaceAll("{n}", grouped(n)).replaceAll("{s}", n === 1 ? "" : "s");
}

/**
 * @param {HTMLElement} asking the form or the button that carries the question
 * @param {HTMLFormElement} form
 * @returns {Promise<boolean>}
 */
async function askFor(asking, form) {
  const data = asking.dataset;
  const selector = data.confirmFor ?? "";
  const scope = form.elements.length && selector && form.querySelector(selector) ? form : document;
  const ticked = selector ? /** @type {HTMLInputElement[]} */ ([...scope.querySelectorAll(selector)]).filter((box) => box.checked) : [];
  if (selector && ticked.length === 0) {
    toast(t("Nothing is selected. Tick the rows first."), { kind: "warning" });
    return false;
  }
  const names = ticked.map((box) => box.dataset.name ?? box.value);
  const question = fill(data.confirm ?? t("Are you sure?"), ticked.length);
  // "Delete backup-db? Its 30 runs go with it." reads best with the question as the heading and the rest below.
  const cut = data.confirmTitle ? -1 : question.indexOf("?");
  return ask({
    title: data.confirmTitle ? fill(data.confirmTitle, ticked.length) : question.slice(0, cut + 1) || question,
    text: data.confirmTitle ? question : question.slice(cut + 1).trim(),
    names: names.slice(0, LISTED),
    more: Math.max(names.length - LISTED, 0),
    action: fill(data.confirmAction ?? t("Go on"), ticked.length),
    harmless: data.confirmKind === "plain",
  });
}

export function startDialogs() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    const button = /** @type {SubmitEvent} */ (event).submitter;
    const asking = button?.hasAttribute("data-confirm") ? button : form.hasAttribute("data-confirm") ? form : null;
    if (!asking) return;
    if (agreed.delete(form)) return;
    event.preventDefault();
    if (!(await askFor(asking, form))) return;
    agreed.add(form);
    form.requestSubmit(button?.isConnected ? button : undefined);
  });
}
