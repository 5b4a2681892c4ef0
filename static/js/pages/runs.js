/* The history of runs: its filters, and rows that are ticked and done something with. */

import { element } from "../lib/dom.js";
import { startFilters } from "../lib/filters.js";
import { startSelection } from "../lib/selection.js";

/** @param {URLSearchParams} kept @param {string} order */
function ordered(kept, order) {
  if (order) kept.set("order", order);
  else kept.delete("order");
  return kept.toString();
}

/** @param {HTMLFormElement} form @param {string} order */
function sendOrder(form, order) {
  for (const old of form.querySelectorAll("input[type=hidden][name=order]")) old.remove();
  if (order) form.append(element("input", { type: "hidden", name: "order", value: order }));
}

/** The heads turn the list round without loading the page anew: what leads on from it, or is sent from it, is of that order then. */
function carryOrder() {
  const here = location.pathname;
  const order = new URLSearchParams(location.search).get("order") ?? "";
  for (const link of document.querySelectorAll("main a[href]")) {
    if (!(link instanceof HTMLAnchorElement) || ![here, `${here}.csv`, `${here}.json`].includes(link.pathname)) continue;
    const kept = new URLSearchParams(link.search);
    if (!link.closest("[data-list-part]") && !kept.has("view")) link.search = ordered(kept, order);
  }
  for (const field of document.querySelectorAll("main input[type=hidden]")) {
    if (!(field instanceof HTMLInputElement)) continue;
    if (["filters", "query"].includes(field.name)) field.value = ordered(new URLSearchParams(field.value), order);
    if (field.name === "back") field.value = here + location.search;
  }
  for (const form of document.querySelectorAll("main form[method=get]")) if (form instanceof HTMLFormElement) sendOrder(form, order);
}

const table = document.getElementById("runs");
if (table) window.jQuery?.(table).on("draw.dt", carryOrder);
startSelection();
startFilters("run-filters");
