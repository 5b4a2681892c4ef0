/* Change a part of the page into what the server has rendered anew, touching only what differs: focus, an open menu, a text
 * selection, a turning icon and the reader's place stay as they are. */

/** What the reader has done and the server cannot know. */
const KEPT = new Set(["open"]);

/**
 * @param {Element} before an element of the page
 * @param {Element} after what it shall look like
 */
export function morph(before, after) {
  if (before.isEqualNode(after) || before.hasAttribute("data-live-keep")) return;
  morphAttributes(before, after);
  morphChildren(before, after);
}

/** @param {Element} before @param {Element} after */
function morphAttributes(before, after) {
  for (const { name } of [...before.attributes]) {
    if (!after.hasAttribute(name) && !KEPT.has(name)) before.removeAttribute(name);
  }
  for (const { name, value } of [...after.attributes]) {
    if (!KEPT.has(name) && before.getAttribute(name) !== value) before.setAttribute(name, value);
  }
}

/** @param {Node} node */
function keyOf(node) {
  if (!(node instanceof Element)) return "";
  return node.id || node.getAttribute("data-row") || "";
}

/** @param {Node} a @param {Node} b */
function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

/** @param {Element} before @param {Element} after */
function morphChildren(before, after) {
  /** @type {Map<string, Node>} */
  const keyed = new Map();
  for (const child of before.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = before.firstChild;
  for (const wanted of [...after.childNodes]) {
    const found = keyed.get(keyOf(wanted)) ?? null;
    const match = found ?? (place && alike(place, wanted) ? place : null);
    if (!match) {
      before.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else before.insertBefore(match, place);
    if (match instanceof Element && wanted instanceof Element) morph(match, wanted);
    else if (match.nodeValue !== wanted.nodeValue) match.nodeValue = wanted.nodeValue;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
