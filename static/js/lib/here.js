/* Rows of links that are wider than the window, as the navigation and tabs are on a phone: the one that says where one is comes
 * into sight. Only the row itself is moved, never the page. */

const ROWS = ".wb-nav, .wb-tabs";

export function startHere() {
  for (const row of document.querySelectorAll(ROWS)) {
    const here = row.querySelector("[aria-current]");
    const list = here?.closest("ul, .wb-tabs, .wb-nav");
    for (const node of new Set([list, row])) {
      if (!here || !node || node.scrollWidth <= node.clientWidth) continue;
      const place = here.getBoundingClientRect();
      const frame = node.getBoundingClientRect();
      node.scrollLeft += place.left + place.width / 2 - (frame.left + frame.width / 2);
    }
  }
}
