/* Whoever fills in a field of many tasks wants it changed: its box is ticked by itself. */

document.getElementById("bulk-form")?.addEventListener("input", (event) => {
  const name = event.target instanceof Element ? event.target.getAttribute("name") : null;
  const box = name && name !== "change" ? document.querySelector(`input[data-bulk="${CSS.escape(name)}"]`) : null;
  if (box instanceof HTMLInputElement) box.checked = true;
});
