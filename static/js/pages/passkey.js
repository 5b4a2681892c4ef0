/* The pages that ask for a passkey: the browser is asked at once, and again by the button; what it answers is sent by the form.
 * With data-waits="true" it is asked by the button only: one that answers by itself would be refused again and again. */

import { answerOf, optionsOf } from "../lib/passkeys.js";
import { t } from "../lib/words.js";

/** What is said of an error, by its name. @param {string} name */
function words(name) {
  if (name === "InvalidStateError") return t("This device has a passkey for this account already.");
  if (name === "SecurityError") return t("The browser does not take this page for the one that passkeys belong to.");
  if (name === "NotAllowedError" || name === "AbortError") return t("Nothing was confirmed. Try again by the button.");
  return t("The browser could not do it. Try another one.");
}

/** @param {HTMLFormElement} form */
async function ask(form) {
  const trouble = form.querySelector("[data-passkey-trouble]");
  const field = form.elements.namedItem("answer");
  if (!(trouble instanceof HTMLElement) || !(field instanceof HTMLInputElement)) return;
  trouble.textContent = "";
  if (!window.PublicKeyCredential) {
    trouble.textContent = t("This browser knows no passkeys.");
    return;
  }
  const isNew = form.dataset.passkey === "create";
  const publicKey = optionsOf(JSON.parse(form.dataset.options ?? "{}"));
  try {
    const found = isNew ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
    field.value = JSON.stringify(answerOf(found));
    form.requestSubmit();
  } catch (error) {
    trouble.textContent = words(error instanceof Error ? error.name : "");
  }
}

const form = document.querySelector("form[data-passkey]");
if (form instanceof HTMLFormElement) {
  form.addEventListener("submit", (event) => {
    const field = form.elements.namedItem("answer");
    if (field instanceof HTMLInputElement && field.value) return;
    event.preventDefault();
    ask(form);
  });
  if (form.dataset.waits !== "true") ask(form);
}
