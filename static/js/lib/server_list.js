/* A long list that the server searches: the page's own search field and filters drive its table, and the address follows.
 *
 * <table data-table data-table-server data-table-filters="#filters">   the form has a field named q for the search
 * <a data-list-link>                    leads on from what is shown now, such as to its export
 * <form id="bulk">                      what is done with ticked rows is of what is shown now */

import { startSelection } from "./selection.js";
import { grouped, tn } from "./words.js";

const SEARCH_DELAY_MS = 250;

/**
 * The filters of an address and how the list looks, without the place in it.
 * @param {string} search
 * @param {string} look
 */
function withLook(search, look) {
  const kept = new URLSearchParams(search);
  for (const name of ["page", "before", "after", "view", "cols", "length"]) kept.delete(name);
  for (const [name, value] of new URLSearchParams(look)) kept.set(name, value);
  return kept.toString();
}

/** @param {any} api @param {HTMLFormElement} form @param {Record<string, string>} usual */
function follow(api, form, usual) {
  const search = form.querySelector("input[name=q]");
  let timer = 0;
  const find = () => {
    if (search instanceof HTMLInputElement && api.search() !== search.value) api.search(search.value).draw();
  };
  search?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, SEARCH_DELAY_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  form.addEventListener("change", () => {
    const address = new URL(location.href);
    for (const [name, value] of new FormData(form)) {
      if (name === "q" || typeof value !== "string") continue;
      if (value && usual[name] !== value) address.searchParams.set(name, value);
      else if (!value) address.searchParams.delete(name);
    }
    for (const name of ["view", "enabled"]) address.searchParams.delete(name);
    history.replaceState(history.state, "", address);
  });
}

/** What leads on from this list, such as its export, is of what is shown now. @param {any} api */
export function leadOn(api) {
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
  const number = grouped(recordsDisplay);
  if (all) all.textContent = tn("all %(number)s that matches", "all %(number)s that match", recordsDisplay, { number });
}

/**
 * Module scripts run in the order of the page, so main.js has made the table by now.
 * @param {string} id of the table
 * @param {Record<string, string>} [usual] values of the filters that an address need not name
 */
export function startServerList(id, usual = {}) {
  const table = document.getElementById(id);
  if (!(table instanceof HTMLTableElement)) return;
  const jQuery = window.jQuery;
  if (jQuery?.fn?.dataTable?.isDataTable(table)) {
    const api = jQuery(table).DataTable();
    const form = document.querySelector(table.dataset.tableFilters ?? "");
    if (form instanceof HTMLFormElement) follow(api, form, usual);
    api.on("draw", () => leadOn(api));
  }
  startSelection();
}
