/* Light, dark or as the system says. The choice is a cookie, so the server writes it into <html> and no page ever flashes.
 *
 * [data-theme-menu]          shown only with scripts
 * [data-theme-choice=...]    a button: light | dark | system */

const COOKIE = "watchbell_theme";
const YEAR = 365 * 24 * 3600;

/** @returns {"light"|"dark"|"system"} */
export function theme() {
  const set = document.documentElement.dataset.theme;
  return set === "light" || set === "dark" ? set : "system";
}

/** @param {string} choice */
export function setTheme(choice) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (choice === "light" || choice === "dark") {
    document.documentElement.dataset.theme = choice;
    document.cookie = `${COOKIE}=${choice}; path=/; max-age=${YEAR}; samesite=lax${secure}`;
  } else {
    delete document.documentElement.dataset.theme;
    document.cookie = `${COOKIE}=; path=/; max-age=0; samesite=lax${secure}`;
  }
  show();
  // Charts have colours of their own to renew.
  document.dispatchEvent(new CustomEvent("watchbell:theme", { detail: theme() }));
}

/**
 * The colour that a token has now, for what is not drawn with CSS (charts).
 * @param {string} token such as "--wb-failed"
 * @returns {string}
 */
export function colour(token) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function show() {
  const now = theme();
  for (const menu of document.querySelectorAll("[data-theme-menu]")) {
    menu.querySelector("summary use")?.setAttribute("href", `#i-${now}`);
    for (const button of menu.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-theme-choice") === now));
    }
  }
}

export function startTheme() {
  for (const menu of document.querySelectorAll("[data-theme-menu]")) {
    if (!(menu instanceof HTMLDetailsElement)) continue;
    menu.hidden = false;
    menu.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-theme-choice]") : null;
      if (!button) return;
      setTheme(button.getAttribute("data-theme-choice") ?? "system");
      menu.open = false;
      menu.querySelector("summary")?.focus();
    });
  }
  show();
}
