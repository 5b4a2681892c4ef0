/* Buttons that change what a form shows, done in place: the form is sent, the server draws it anew, and its parts are taken over.
 *
 * <button type="submit" name="act" value="add-step" data-act>   within the form
 * Without scripts the same buttons load the page. What stays behind, such as what is typed elsewhere, the server sends back. */

import { parse } from "./dom.js";
import { t } from "./words.js";
import { toast } from "./toast.js";

const TIMEOUT_MS = 15000;

/** @param {HTMLFormElement} form @param {HTMLElement|null} button @param {string} [address] @param {AbortSignal} [signal] */
export async function send(form, button, address = "", signal = undefined) {
  const data = new FormData(form, button instanceof HTMLButtonElement ? button : undefined);
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch(address || form.action, {
    method: "POST",
    body: new URLSearchParams([...data].map(([name, value]) => [name, String(value)])),
    headers: { Accept: "text/html" },
    credentials: "same-origin",
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  if (answer.status >= 500 || answer.redirected) throw new Error(`the server answered ${answer.status}`);
  return parse(await answer.text());
}

/**
 * @param {HTMLFormElement} form
 * @param {string[]} parts ids of what is drawn anew; the first may name in data-focus what is to be focused then
 * @param {() => void} [after]
 */
export function actInPlace(form, parts, after = () => {}) {
  let isBusy = false;
  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (!(button instanceof HTMLButtonElement) || !button.hasAttribute("data-act")) return;
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    // What has the focus may be a field that has asked for this, and not the button.
    const id = document.activeElement?.id || button.id;
    const { value } = button;
    try {
      const page = await send(form, button);
      const found = parts.map((part) => [document.getElementById(part), page.getElementById(part)]);
      if (found.some(([, made]) => !made)) throw new Error("the answer is another page");
      for (const [old, made] of found) if (old && made) old.replaceWith(document.importNode(made, true));
      focus(parts[0], id, value);
      after();
    } catch (error) {
      console.warn("What a button does in place has failed", error);
      toast(t("That did not work. Try again."), { kind: "warning" });
    } finally {
      isBusy = false;
    }
  });
}

/** @param {string} part @param {string} id @param {string} value */
function focus(part, id, value) {
  const wanted = document.getElementById(part)?.querySelector("[data-focus]") ?? document.getElementById(part);
  const name = wanted instanceof HTMLElement ? wanted.dataset.focus || "-" : "-";
  const same = document.querySelector(`button[data-act][value="${CSS.escape(value)}"]`);
  const place = document.getElementById(name) ?? (id ? document.getElementById(id) : same);
  if (place instanceof HTMLElement) place.focus();
}
