/* The list of tasks: the page's own search field and filters drive the table, and the address follows. */

const SEARCH_DELAY_MS = 250;

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
    const address = new URL(location.href);
    const enabled = form.querySelector("[name=enabled]");
    if (!(enabled instanceof HTMLSelectElement)) return;
    if (enabled.value) address.searchParams.set("enabled", enabled.value);
    else address.searchParams.delete("enabled");
    history.replaceState(history.state, "", address);
  });
}

// Module scripts run in the order of the page, so main.js has made the table by now.
const table = document.getElementById("tasks");
if (table instanceof HTMLTableElement) connect(table);
