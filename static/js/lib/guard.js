/* What was typed into a form is not lost by leaving the page by accident.
 *
 * <form data-guard>           leaving asks first while it holds something else than when it was loaded
 * <form data-guard="typed">   it holds what was typed before: it came back because something in it is wrong
 * Sending the form asks nothing, and neither does what changes no field of it, such as a menu or the theme. */

import { ask } from "./dialog.js";
import { t } from "./words.js";

/** @param {HTMLFormElement} form */
function held(form) {
  const fields = [...new FormData(form)].filter(([name]) => name !== "csrf_token");
  return JSON.stringify(fields.map(([name, value]) => [name, value instanceof File ? value.name : value]));
}

/** @param {MouseEvent} event @returns {HTMLAnchorElement|null} the link by which this page would be left */
function leaving(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!(link instanceof HTMLAnchorElement) || !isPlain || link.target || link.download) return null;
  const to = new URL(link.href);
  const here = to.origin === location.origin && to.pathname === location.pathname && to.search === location.search;
  return here && to.hash ? null : link;
}

/** @param {HTMLFormElement} form */
function guard(form) {
  let before = form.dataset.guard === "typed" ? null : held(form);
  let isOver = false;
  const isDirty = () => !isOver && (before === null || held(form) !== before);

  // At the window: a question or a check may still keep the form here.
  addEventListener("submit", (event) => {
    if (event.target === form && !event.defaultPrevented) isOver = true;
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) isOver = false;
  });
  addEventListener("beforeunload", (event) => {
    if (isDirty()) event.preventDefault();
  });
  document.addEventListener("click", async (event) => {
    const link = event.defaultPrevented ? null : leaving(event);
    if (!link || !isDirty()) return;
    event.preventDefault();
    const isSure = await ask({
      title: t("Leave without saving?"),
      text: t("What you have typed here would be lost."),
      action: t("Leave"),
    });
    if (!isSure) return;
    isOver = true;
    location.assign(link.href);
  });
}

export function startGuards() {
  for (const form of document.querySelectorAll("form[data-guard]")) if (form instanceof HTMLFormElement) guard(form);
}
