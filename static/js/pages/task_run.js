/* Asking for the parameters of a run: Enter in the name of a set keeps the set. The first button of the form, which Enter would
 * press, starts the run. */

const name = document.getElementById("set-name");
name?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const keep = name.closest("details")?.querySelector("button[type=submit]");
  if (keep instanceof HTMLButtonElement) keep.click();
});
