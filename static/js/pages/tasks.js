/* The list of tasks: the page's own search field and filters drive the table, and the address follows. */

import { startSelection } from "../lib/selection.js";
import { tn } from "../lib/words.js";

const SEARCH_DELAY_MS = 250;

/**
 * The filters of an address and how the list looks, without the place in it.
 * @param {string} search
 * @param {string} look
 */
function withLook(search, look) {
  const kept = new URLSearchParams(search);
  for (const name of ["page", "view", "cols", "length"]) kept.delete(name);
  for (const [name, value] of new URLSearchParams(look)) kept.set(name, value);
  return kept.toString();
}

/** @param {HTMLTableElement} table */
function connect(table) {
  const jQuery = window.jQuery;
  const search = document.getElementById("task-search");
  const form = document.getElementById("task-filters");
  if (!jQuery?.fn?.dataTable?.isDataTable(table)) return;
  const api = jQuery(table).DataTable();
  let timer = 0;
  const find = () => {
    if (search instanceof HTMLInputElement && api.search() !== search.value) api.search(search.value).draw();
  };
  search?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, SEARCH_DELAY_MS);
  });
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  form?.addEventListener("change", () => {
    if (!(form instanceof HTMLFormElement)) return;
    const address = new URL(location.href);
    for (const [name, value] of new FormData(form)) {
      if (name === "q" || typeof value !== "string" || (name === "owner" && value === "all")) continue;
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    for (const name of ["view", "enabled"]) address.searchParams.delete(name);
    history.replaceState(history.state, "", address);
  });
  // What leads on from this list, such as its export, is of what is shown now.
  api.on("draw", () => {
    for (const link of document.querySelectorAll("a[data-list-link]")) {
      if (link instanceof HTMLAnchorElement) link.search = location.search;
    }
    for (const name of ["filters", "query"]) {
      const kept = document.querySelector(`input[type=hidden][name=${name}]`);
      if (kept instanceof HTMLInputElement) kept.value = withLook(location.search, kept.dataset.look ?? "");
    }
    const back = document.querySelector("#bulk input[name=back]");
    if (back instanceof HTMLInputElement) back.value = location.pathname + location.search;
    const all = document.querySelector("[data-list-part=all] > span");
    const { recordsDisplay } = api.page.info();
    if (all) all.textContent = tn("all %(num)s that matches", "all %(num)s that match", recordsDisplay);
  });
}

// Module scripts run in the order of the page, so main.js has made the table by now.
const table = document.getElementById("tasks");
if (table instanceof HTMLTableElement) {
  connect(table);
  startSelection();
}
