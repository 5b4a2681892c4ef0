/* The page that shows a secret once: buttons that copy. Where the browser gives no clipboard, as over plain HTTP from another
 * machine, the text is selected for the keys that copy. */

import { toast } from "../lib/toast.js";
import { t } from "../lib/words.js";

/** @param {HTMLInputElement} field */
async function copy(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    toast(t("Copied."), { kind: "success" });
  } catch {
    // There is none, or the browser does not let it be used.
    toast(t("Selected. Press Ctrl-C to copy."), { kind: "info" });
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.getAttribute("data-copy") ?? "");
  if (!(field instanceof HTMLInputElement) || !(button instanceof HTMLButtonElement)) continue;
  button.hidden = false;
  button.addEventListener("click", () => copy(field));
}
