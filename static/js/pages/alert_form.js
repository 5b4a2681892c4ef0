/* The form of a rule: what is wrong with its condition, and what it comes to of the last runs, follow what is typed. */

import { follow } from "../lib/trial.js";

const form = document.getElementById("rule-form");
const place = document.getElementById("trial");
if (form instanceof HTMLFormElement && place) {
  follow(form, place, () => {
    const expression = form.elements.namedItem("expression");
    return expression instanceof HTMLInputElement && expression.value !== "";
  });
}
