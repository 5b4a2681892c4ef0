/* Menus are <details class="wb-menu"> and open by themselves; this closes them again: on Escape, on a click elsewhere, when focus
 * leaves them. */

/** @returns {HTMLDetailsElement[]} */
function openMenus() {
  return /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll("details.wb-menu[open]")]);
}

export function startMenus() {
  document.addEventListener("click", (event) => {
    // A dialog asks on behalf of what was chosen in the menu: whoever says no is back in the menu.
    if (event.target instanceof Element && event.target.closest("dialog")) return;
    for (const menu of openMenus()) {
      if (event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    for (const menu of openMenus()) {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary")?.focus();
    }
  });
  document.addEventListener("focusin", (event) => {
    for (const menu of openMenus()) {
      const outside = event.target instanceof Element && !menu.contains(event.target) && !event.target.closest("dialog");
      if (outside) menu.open = false;
    }
  });
}
