/* DataTables from data-* attributes. The rows are rendered by the server either way.
 *
 * <table data-table>                     sorting, and paging when there are more rows than a page holds
 *   data-table-page="25"                 rows a page
 *   data-table-order='[[1,"asc"]]'       first order; without it the server's order stays
 *   data-table-first="-id"               the same by the name of a column
 *   data-table-search                    with a search field (data-table-search="Find a task" names it)
 *   data-table-server="URL"              DataTables' server-side protocol: {draw, recordsTotal, recordsFiltered, data: [...]}, where a
 *                                        row is a list of HTML cells, or an object {"0": html, ..., "DT_RowId", "DT_RowClass"}
 *   data-table-total="1234"              rows there are in all, so that the rows already in the page need not be fetched again
 *   data-table-keyset                    the server pages by keys that the address holds: the page's own links, in
 *                                        [data-list-part=pager], lead on, and every request carries the address (server-side only);
 *                                        {parts: HTML} of an answer holds [data-list-part] elements that are put in place of the page's,
 *                                        {order: "-id"} says in which order its rows really are.
 *                                        With data-table-filters, the address follows that form, and the rows follow the address
 *   data-table-every="30"                read the rows again every 30 s (server-side only)
 *   data-table-filters="#filters"        a form whose fields go along with every request (server-side only)
 *   data-table-rows="tasks"              what the rows are called in "42 tasks"
 *   data-table-none="No task matches."   said when a search finds nothing
 *   data-table-link                      keep search, order and page in the address (?q=, ?order=-next, ?page=); on unless ="off"
 * <th data-orderable="false" data-name="due_at" class="wb-number">   as DataTables reads them; classes are given to the cells below
 * <tr data-group="Monday">               rows below a head of their own (tr.wb-group), where those before them have another one
 * <td data-order="1711676400">           what is sorted by instead of the text */

import { element, parse } from "./dom.js";
import { LoggedOut, poll, watchOf } from "./live.js";
import { morph } from "./morph.js";
import { presence } from "./presence.js";
import { refreshTimes } from "./time.js";
import { t } from "./words.js";

const SEARCH_DELAY_MS = 250;

/** @param {HTMLTableElement} table */
function heads(table) {
  return /** @type {HTMLTableCellElement[]} */ ([...table.querySelectorAll("thead th")]);
}

/**
 * A phone shows each cell with the head of its column.
 * @param {HTMLTableElement} table
 * @param {HTMLTableRowElement} row
 */
function labelCells(table, row) {
  const columns = heads(table);
  [...row.cells].forEach((cell, n) => {
    if (cell.colSpan === 1 && !cell.dataset.label && columns[n]) cell.dataset.label = columns[n].textContent?.trim() ?? "";
  });
}

/** @param {string} name */
function parameter(name) {
  return new URLSearchParams(location.search).get(name);
}

/** @param {Record<string, string|null>} values null removes */
function setParameters(values) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

/**
 * The order that a text such as -next or -2 names: the column by its name or its number, a minus for descending.
 * @param {HTMLTableElement} table
 * @param {string} text
 */
function orderOf(table, text) {
  const match = /^(-?)([a-z]+|\d+)$/.exec(text);
  if (!match) return null;
  const columns = heads(table);
  const place = /^\d/.test(match[2]) ? Number(match[2]) : columns.findIndex((head) => head.dataset.name === match[2]);
  return place >= 0 && place < columns.length ? [[place, match[1] ? "desc" : "asc"]] : null;
}

/** @param {HTMLTableElement} table @returns {any[]} */
function firstOrder(table) {
  const { tableFirst, tableOrder } = table.dataset;
  return (tableFirst ? orderOf(table, tableFirst) : null) ?? JSON.parse(tableOrder ?? "[]");
}

/**
 * What the address asks for: ?q=backup&order=-next&page=3 (a minus is descending).
 * @param {HTMLTableElement} table
 * @param {number} length
 */
function fromAddress(table, length) {
  const page = Math.max(Number.parseInt(parameter("page") ?? "1", 10) || 1, 1);
  return { search: parameter("q") ?? "", order: orderOf(table, parameter("order") ?? ""), start: (page - 1) * length };
}

/**
 * @param {HTMLTableElement} table
 * @param {any[]} order
 */
function orderText(table, order) {
  const plain = order.map((one) => [one[0], one[1]]);
  if (!plain.length || JSON.stringify(plain) === JSON.stringify(firstOrder(table))) return null;
  const [place, direction] = plain[0];
  return `${direction === "desc" ? "-" : ""}${heads(table)[place].dataset.name || place}`;
}

/** @param {HTMLTableElement} table */
function keepInAddress(table) {
  const api = window.jQuery(table).DataTable();
  const { page } = api.page.info();
  setParameters({ q: api.search() || null, order: orderText(table, api.order()), page: page > 0 ? String(page + 1) : null });
}

/** @param {DOMStringMap} data @param {boolean} many */
function language(data, many) {
  const rows = data.tableRows ?? "rows";
  return {
    info: many ? t("_START_–_END_ of _TOTAL_ %(rows)s", { rows }) : `_TOTAL_ ${rows}`,
    infoEmpty: t("No %(rows)s", { rows }),
    infoFiltered: t("(of _MAX_)"),
    emptyTable: data.tableEmpty ?? t("No %(rows)s yet.", { rows }),
    zeroRecords: data.tableNone ?? t("None of the %(rows)s match. Change or clear the search.", { rows }),
    search: `<span class="wb-hidden">${data.tableSearch || t("Search")}</span>_INPUT_`,
    searchPlaceholder: data.tableSearch || t("Search"),
    loadingRecords: t("Loading…"),
    // Read after the name of a column or instead of an arrow.
    aria: {
      orderable: ": " + t("sort by it"),
      orderableReverse: ": " + t("sort the other way round"),
      orderableRemove: ": " + t("sort no more"),
      paginate: { first: t("First page"), previous: t("Previous page"), next: t("Next page"), last: t("Last page"), number: "" },
    },
    thousands: ",",
  };
}

/** @param {HTMLTableElement} table */
function isKeyset(table) {
  return table.dataset.tableKeyset !== undefined;
}

/**
 * The address with the order of the heads; another order begins at its own first page.
 * @param {HTMLTableElement} table
 * @param {{column: number, dir: string}[]} order
 */
function placed(table, order) {
  const text = orderText(table, (order ?? []).map((one) => [one.column, one.dir]));
  if (text !== (parameter("order") ?? null)) setParameters({ order: text, before: null, after: null, page: null });
  return location.search.slice(1);
}

/** @param {string} html parts of the page as this server has rendered them */
function placeParts(html) {
  for (const made of parse(html).querySelectorAll("[data-list-part]")) {
    for (const old of document.querySelectorAll(`[data-list-part="${CSS.escape(made.getAttribute("data-list-part") ?? "")}"]`)) morph(old, made);
  }
}

/**
 * Show what another address of this page lists.
 * @param {any} api
 * @param {URL|string} address
 * @param {boolean} isStep whether the browser's way back leads here
 */
function go(api, address, isStep) {
  if (isStep) history.pushState(null, "", address);
  else history.replaceState(history.state, "", address);
  api.draw("page");
}

/**
 * Rows that come in another order than the heads say, as a search among runs does, turn the heads and the address to it.
 * @param {any} api @param {string} order
 */
function turnBack(api, order) {
  const told = orderOf(api.table().node(), order);
  const asked = api.order().map((/** @type {any[]} */ one) => [one[0], one[1]]);
  if (told && JSON.stringify(told) !== JSON.stringify(asked)) api.one("draw", () => api.order(told).draw("page"));
}

/**
 * Turn pages by the links of the pager and of the choices, which hold the keys, and by the browser's own way back.
 * @param {any} api
 */
function turnByKeys(api) {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("[data-list-part=pager] a, [data-list-part=choices] a") : null;
    if (!(link instanceof HTMLAnchorElement) || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.closest("[data-list-part=pager]")) api.one("draw", () => scrollTo({ top: 0 }));
    go(api, link.href, true);
  });
  addEventListener("popstate", () => location.reload());
  api.on("xhr.dt", (/** @type {Event} */ _event, /** @type {any} */ settings, /** @type {any} */ json, /** @type {any} */ xhr) => {
    // An answer to what was asked for earlier brings no rows either.
    if (json?.parts && Number(json.draw) >= settings.iDraw) {
      placeParts(json.parts);
      if (json.order) turnBack(api, json.order);
    }
    // What is wrong with an address is said by its page.
    if (xhr?.status === 422) location.reload();
  });
}

/**
 * The address of what a form of filters asks for; one without anything would be the view that its reader meets first.
 * @param {HTMLFormElement} form
 */
function addressOf(form) {
  const address = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && value) address.searchParams.append(name, value);
  if (!address.search) address.searchParams.set("view", "all");
  return address;
}

/** @param {any} api @param {HTMLFormElement} form */
function followFilters(api, form) {
  let timer = 0;
  let isTyping = false;
  const follow = (/** @type {boolean} */ isStep) => {
    clearTimeout(timer);
    const address = addressOf(form);
    if (address.href !== location.href) go(api, address, isStep);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    follow(true);
    isTyping = false;
  });
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.type === "search") return;
    // A date changes with each of its parts: all that is typed in a row is one step of the way back.
    const isTyped = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
    follow(!(isTyped && isTyping));
    isTyping = isTyped;
  });
  form.addEventListener("input", (event) => {
    if (!(event.target instanceof HTMLInputElement && event.target.type === "search")) return;
    clearTimeout(timer);
    timer = setTimeout(follow, SEARCH_DELAY_MS, false);
  });
  // Somebody was quicker than the scripts of the page.
  const search = form.querySelector("input[type=search]");
  if (search instanceof HTMLInputElement && search.value !== search.defaultValue) follow(false);
}

/** Put a head above each group of rows. @param {HTMLTableElement} table */
function headGroups(table) {
  let last = "";
  for (const row of [...(table.tBodies[0]?.rows ?? [])]) {
    const { group } = row.dataset;
    if (!group || group === last) continue;
    last = group;
    row.before(element("tr", { class: "wb-group" }, element("th", { colspan: heads(table).length, scope: "rowgroup", text: group })));
  }
}

/** @param {HTMLTableElement} table */
function serverOptions(table) {
  const data = table.dataset;
  if (!data.tableServer) return {};
  const form = data.tableFilters ? document.querySelector(data.tableFilters) : null;
  const total = Number(data.tableTotal);
  return {
    serverSide: true,
    processing: true,
    // The rows in the page are those of its address.
    deferLoading: data.tableTotal ? total : null,
    ajax: {
      url: data.tableServer,
      headers: { "X-Requested-With": "fetch" },
      beforeSend: (/** @type {XMLHttpRequest} */ asking) => {
        for (const [name, value] of Object.entries(presence())) asking.setRequestHeader(name, value);
      },
      data: (/** @type {Record<string, any>} */ sent) => {
        if (isKeyset(table)) sent.address = placed(table, sent.order);
        if (isKeyset(table) || !(form instanceof HTMLFormElement)) return;
        for (const [name, value] of new FormData(form)) if (typeof value === "string") sent[name] = value;
      },
    },
    columns: heads(table).map((head, n) => ({
      data: n,
      name: head.dataset.name ?? "",
      className: head.className,
      orderable: head.dataset.orderable !== "false",
      orderSequence: ["asc", "desc"],
    })),
  };
}

/**
 * @param {HTMLTableElement} table
 * @returns {any} the DataTables API, or null when there is nothing to gain or the library did not load
 */
export function dataTable(table) {
  const jQuery = window.jQuery;
  if (!jQuery?.fn?.dataTable) return null;
  const data = table.dataset;
  const length = Number(data.tablePage) || 25;
  const server = Boolean(data.tableServer);
  const rows = table.tBodies[0]?.rows ?? [];
  const isNone = rows.length === 1 && rows[0].cells.length === 1;
  if (isNone && !server) return null;
  // It says that nothing matches, which DataTables would take for a row that lacks its cells.
  if (isNone) rows[0].remove();
  // What goes wrong with the rows is said by the page, and not in a window over it.
  jQuery.fn.dataTable.ext.errMode = "none";
  const keyset = isKeyset(table);
  const asked = data.tableLink === "off" ? { search: "", order: null, start: 0 } : fromAddress(table, length);
  if (keyset) Object.assign(asked, { search: "", start: 0 });
  const many = server || rows.length > length;
  for (const row of [...rows]) if (row.classList.contains("wb-group")) row.remove();
  for (const row of rows) labelCells(table, row);
  const api = jQuery(table).DataTable({
    autoWidth: false,
    pageLength: length,
    displayStart: asked.start,
    order: asked.order ?? firstOrder(table),
    orderMulti: false,
    search: { search: asked.search },
    paging: many,
    searchDelay: SEARCH_DELAY_MS,
    language: language(data, many),
    layout: {
      topStart: null,
      topEnd: data.tableSearch === undefined ? null : "search",
      bottomStart: keyset ? null : "info",
      bottomEnd: many && !keyset ? "paging" : null,
    },
    createdRow: (/** @type {HTMLTableRowElement} */ row) => labelCells(table, row),
    ...serverOptions(table),
  });
  // Rows that could not be had are told by the page; what shows that they are waited for ends.
  api.on("error", () => api.processing(false));
  api.on("draw", () => {
    headGroups(table);
    refreshTimes(table);
    if (data.tableLink !== "off" && !keyset) keepInAddress(table);
  });
  // The library names it in English, whatever the language.
  for (const pages of api.table().container().querySelectorAll("nav[aria-label=pagination]")) pages.setAttribute("aria-label", t("Pages"));
  headGroups(table);
  keepFocus(table, api);
  if (keyset) startKeyset(table, api);
  if (server) keepFresh(table, api);
  return api;
}

/**
 * New rows are other elements: whoever was on a link of the old ones by keyboard stays on the same link.
 * @param {HTMLTableElement} table @param {any} api
 */
function keepFocus(table, api) {
  let name = "";
  let text = "";
  api.on("preDraw", () => {
    const at = document.activeElement;
    const isInside = at instanceof HTMLElement && at.closest("tbody") !== null && table.contains(at);
    name = !isInside ? "" : at.hasAttribute("href") ? "href" : "aria-label";
    text = (isInside && at.getAttribute(name)) || "";
  });
  api.on("draw", () => {
    const again = text ? table.tBodies[0]?.querySelector(`[${name}="${CSS.escape(text)}"]`) : null;
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  });
}

/** @param {HTMLTableElement} table @param {any} api */
function startKeyset(table, api) {
  turnByKeys(api);
  const form = table.dataset.tableFilters ? document.querySelector(table.dataset.tableFilters) : null;
  if (form instanceof HTMLFormElement) followFilters(api, form);
}

/** @param {HTMLTableElement} table @param {any} api */
function keepFresh(table, api) {
  const data = table.dataset;
  if (data.tableFilters && !isKeyset(table)) document.querySelector(data.tableFilters)?.addEventListener("change", () => api.draw());
  const every = Number(data.tableEvery);
  if (!every) return;
  let first = true;
  poll(data.tableServer ?? "", every * 1000, () => {
    const isElsewhere = isKeyset(table) && ["before", "after", "page"].some((name) => parameter(name));
    if (first || isElsewhere || table.querySelector("input:checked, details[open]")) {
      first = false;
      return Promise.resolve(true);
    }
    return new Promise((resolve, reject) => {
      // Told of every answer, and without one of a request that got none, of which DataTables says nothing else.
      api.one("xhr.dt", (/** @type {Event} */ _event, /** @type {any} */ _settings, /** @type {any} */ json, /** @type {any} */ xhr) => {
        if (xhr?.status === 401) reject(new LoggedOut());
        else if (!json || json.error) reject(new Error("the rows could not be read"));
      });
      api.ajax.reload(() => resolve(true), false);
    });
  }, watchOf(table));
}

export function startTables() {
  for (const table of document.querySelectorAll("table[data-table]")) if (table instanceof HTMLTableElement) dataTable(table);
}
