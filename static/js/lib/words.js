/* The texts that scripts show, in the language of the page.
 *
 * import { t, tn } from "../lib/words.js";
 * t("Copied")                                        as it is, or as <html data-words> has it
 * t("%(n)s matches", { n: 3 })                       values in the places that the text names
 * grouped(1200)                                      with its thousands apart
 * tn("%(num)s match", "%(num)s matches", 3)          the form for a number, which stands in the text as %(num)s
 *
 * English is the source, so a page in English loads nothing. Texts in other languages are read once, before any module that
 * imports this one runs. */

/** @type {Record<string, string|string[]>} */
const words = await load();

async function load() {
  const address = document.documentElement.dataset.words;
  if (!address) return {};
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : {};
  } catch (error) {
    // The page works in English, too; what has gone wrong stands in the console.
    console.warn("The texts of this language could not be read", error);
    return {};
  }
}

/**
 * A number with its thousands apart, as the pages of this language have them.
 * @param {number} value
 */
export function grouped(value) {
  return signedAsRead(value.toLocaleString("en"));
}

/**
 * A number that is written as in English, with the signs that the language of the page has in it.
 * @param {string} written
 */
export function signedAsRead(written) {
  if (document.documentElement.lang !== "de") return written;
  return written.replaceAll(/[,.]/g, (sign) => (sign === "," ? "\u202f" : ","));
}

/**
 * @param {string} text
 * @param {Record<string, string|number>} values
 */
function filled(text, values) {
  return text.replace(/%\((\w+)\)s/g, (place, name) => (name in values ? String(values[name]) : place));
}

/**
 * @param {string} text
 * @param {Record<string, string|number>} [values]
 */
export function t(text, values = {}) {
  const found = words[text];
  return filled(typeof found === "string" && found ? found : text, values);
}

/**
 * @param {string} one
 * @param {string} many
 * @param {number} num
 * @param {Record<string, string|number>} [values]
 */
export function tn(one, many, num, values = {}) {
  const found = words[one];
  const forms = Array.isArray(found) && found.length === 2 ? found : [one, many];
  return filled(num === 1 ? forms[0] : forms[1], { num, ...values });
}
