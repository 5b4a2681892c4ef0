/* Pictures with links: one stop of the Tab key for each, and the arrow keys lead from mark to mark. Without scripts their table
 * twins hold the same links. */

/** @param {SVGSVGElement} picture @returns {SVGAElement[]} */
function linksOf(picture) {
  return [...picture.querySelectorAll("a[href]")].filter((link) => link instanceof SVGAElement);
}

/** @param {SVGElement} link */
function middle(link) {
  const box = link.getBoundingClientRect();
  return { x: box.left + Math.min(box.width, 12) / 2, y: box.top + box.height / 2 };
}

/**
 * The nearest link in a direction; what lies aside counts three times.
 * @param {SVGAElement[]} links
 * @param {SVGAElement} from
 * @param {number} dx
 * @param {number} dy
 */
function nearest(links, from, dx, dy) {
  const here = middle(from);
  let best = null;
  let least = Infinity;
  for (const link of links) {
    const there = middle(link);
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    if (link === from || along < 1) continue;
    const aside = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    if (along + 3 * aside < least) [least, best] = [along + 3 * aside, link];
  }
  return best;
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {KeyboardEvent} event */
function move(event) {
  const way = WAYS[/** @type {keyof typeof WAYS} */ (event.key)];
  const from = event.target;
  if (!way || !(from instanceof SVGAElement) || event.ctrlKey || event.altKey || event.metaKey) return;
  const picture = from.closest("svg[data-picture]");
  if (!(picture instanceof SVGSVGElement)) return;
  const to = nearest(linksOf(picture), from, way[0], way[1]);
  if (!to) return;
  event.preventDefault();
  from.setAttribute("tabindex", "-1");
  to.setAttribute("tabindex", "0");
  to.focus();
}

function makeReachable() {
  for (const picture of document.querySelectorAll("svg[data-picture]")) {
    if (!(picture instanceof SVGSVGElement) || picture.querySelector('a[tabindex="0"]')) continue;
    const links = linksOf(picture);
    (links.findLast((link) => !link.classList.contains("wb-bar--planned")) ?? links[0])?.setAttribute("tabindex", "0");
  }
}

// Now is where people look first, also where the picture is wider than the screen; whoever has looked elsewhere stays there.
function showNow() {
  for (const scroll of document.querySelectorAll(".wb-timeline__scroll")) {
    const now = scroll.querySelector(".wb-picture__now");
    if (!now || scroll.scrollLeft || scroll.scrollWidth <= scroll.clientWidth) continue;
    scroll.scrollLeft = now.getBoundingClientRect().left - scroll.getBoundingClientRect().left - scroll.clientWidth * 0.6;
  }
}

export function startPictures() {
  document.addEventListener("keydown", move);
  makeReachable();
  showNow();
  addEventListener("watchbell:live", showNow);
  // The newest days are what one looks for where the year is wider than the screen.
  for (const frame of document.querySelectorAll(".wb-scroll:has(> .wb-year)")) frame.scrollLeft = frame.scrollWidth;
  // A part of the page that was put in place anew has lost its stop.
  addEventListener("focusin", makeReachable);
}
