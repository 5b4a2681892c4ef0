/* DataTables from data-* attributes. The rows are rendered by the server either way.
 *
 * <table data-table>                     sorting, and paging when there are more rows than a page holds
 *   data-table-page="25"                 rows a page
 *   data-table-order='[[1,"asc"]]'       first order; without it the server's order stays
 *   data-table-search                    with a search field (data-table-search="Find a task" names it)
 *   data-table-server="URL"              DataTables' server-side protocol: {draw, recordsTotal, recordsFiltered, data: [...]}, where a
 *                                        row is a list of HTML cells, or an object {"0": html, ..., "DT_RowId", "DT_RowClass"}
 *   data-table-total="1234"              rows there are in all, so that the rows already in the page need not be fetched again
 *   data-table-every="30"                read the rows again every 30 s (server-side only)
 *   data-table-filters="#filters"        a form whose fields go along with every request (server-side only)
 *   data-table-rows="tasks"              what the rows are called in "42 tasks"
 *   data-table-none="No task matches."   said when a search finds nothing
 *   data-table-link                      keep search, order and page in the address (?q=, ?order=, ?page=); on unless ="off"
 * <th data-orderable="false" data-name="due_at" class="wb-number">   as DataTables reads them; classes are given to the cells below
 * <td data-order="1711676400">           what is sorted by instead of the text */

import { LoggedOut, poll, watchOf } from "./live.js";
import { refreshTimes } from "./time.js";

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
 * What the address asks for: ?q=backup&order=-2&page=3 (a minus is descending).
 * @param {number} columns
 * @param {number} length
 */
function fromAddress(columns, length) {
  const order = /^(-?)(\d+)$/.exec(parameter("order") ?? "");
  const page = Math.max(Number.parseInt(parameter("page") ?? "1", 10) || 1, 1);
  return {
    search: parameter("q") ?? "",
    order: order && Number(order[2]) < columns ? [[Number(order[2]), order[1] ? "desc" : "asc"]] : null,
    start: (page - 1) * length,
  };
}

/**
 * @param {HTMLTableElement} table
 * @param {string} firstOrder
 */
function keepInAddress(table, firstOrder) {
  const api = window.jQuery(table).DataTable();
  const order = api.order();
  const said = JSON.stringify(order.map((/** @type {any[]} */ one) => [one[0], one[1]]));
  const { page } = api.page.info();
  setParameters({
    q: api.search() || null,
    order: order.length && said !== firstOrder ? `${order[0][1] === "desc" ? "-" : ""}${order[0][0]}` : null,
    page: page > 0 ? String(page + 1) : null,
  });
}

/** @param {DOMStringMap} data @param {boolean} many */
function language(data, many) {
  const rows = data.tableRows ?? "rows";
  return {
    info: many ? `_START_–_END_ of _TOTAL_ ${rows}` : `_TOTAL_ ${rows}`,
    infoEmpty: `No ${rows}`,
    infoFiltered: "(of _MAX_)",
    emptyTable: data.tableEmpty ?? `No ${rows} yet.`,
    zeroRecords: data.tableNone ?? `None of the ${rows} match. Change or clear the search.`,
    search: `<span class="wb-hidden">${data.tableSearch || "Search"}</span>_INPUT_`,
    searchPlaceholder: data.tableSearch || "Search",
    loadingRecords: "Loading…",
    thousands: ",",
  };
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
    // With something to search or turn to in the address, the rows in the page are not the ones wanted.
    deferLoading: data.tableTotal && !location.search ? total : null,
    ajax: {
      url: data.tableServer,
      headers: { "X-Requested-With": "fetch" },
      data: (/** @type {Record<string, any>} */ sent) => {
        if (!(form instanceof HTMLFormElement)) return;
        for (const [name, value] of new FormData(form)) if (typeof value === "string") sent[name] = value;
      },
    },
    columns: heads(table).map((head, n) => ({ data: n, name: head.dataset.name ?? "", className: head.className, orderable: head.dataset.orderable !== "false" })),
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
  if (!server && rows.length === 1 && rows[0].cells.length === 1) return null;
  const firstOrder = data.tableOrder ?? "[]";
  const asked = data.tableLink === "off" ? { search: "", order: null, start: 0 } : fromAddress(heads(table).length, length);
  const many = server || rows.length > length;
  for (const row of rows) labelCells(table, row);
  const api = jQuery(table).DataTable({
    autoWidth: false,
    pageLength: length,
    displayStart: asked.start,
    order: asked.order ?? JSON.parse(firstOrder),
    orderMulti: false,
    search: { search: asked.search },
    paging: many,
    searchDelay: 250,
    language: language(data, many),
    layout: {
      topStart: null,
      topEnd: data.tableSearch === undefined ? null : "search",
      bottomStart: "info",
      bottomEnd: many ? "paging" : null,
    },
    createdRow: (/** @type {HTMLTableRowElement} */ row) => labelCells(table, row),
    ...serverOptions(table),
  });
  api.on("draw", () => {
    refreshTimes(table);
    if (data.tableLink !== "off") keepInAddress(table, firstOrder);
  });
  keepFocus(table, api);
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
function keepFresh(table, api) {
  const data = table.dataset;
  window.jQuery.fn.dataTable.ext.errMode = "none";
  if (data.tableFilters) document.querySelector(data.tableFilters)?.addEventListener("change", () => api.draw());
  const every = Number(data.tableEvery);
  if (!every) return;
  let first = true;
  poll(data.tableServer ?? "", every * 1000, () => {
    if (first || table.querySelector("input:checked, details[open]")) {
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
