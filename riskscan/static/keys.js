// Keys of the pages with a list, of scans or of findings; the script of a page adds its own to `keys`.

const OFF = "riskscan-keys-off";
const dialog = document.querySelector("#keys");
let origin = null;  // the entry that had the focus before the export menu

export const keys = {
  j: () => focusEntry(findNext(1)),
  k: () => focusEntry(findNext(-1)),
  x: () => currentEntry()?.querySelector("[type=checkbox]")?.click(),
  e: openExports,
  "/": () => document.querySelector("main [type=search]").focus(),
  "?": () => dialog.showModal(),
  Escape: closeMenus,
};

if (dialog) setUp();

function setUp() {
  const box = dialog.querySelector("[data-keys-on]");
  box.checked = !localStorage.getItem(OFF);
  box.addEventListener("change", () => box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
  document.addEventListener("keydown", onKey, true);  // before a script that closes the menus, which hides where the focus was
  document.addEventListener("click", ({target}) => target.closest("[data-keys]") && dialog.showModal());
}

function onKey(event) {
  const {key, target} = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open) return;
  if (event.repeat && !"jk".includes(key)) return;  // a key that is held must not review one finding after the other
  if (key !== "Escape" && target.matches("input:not([type=checkbox]), textarea, select")) return;
  if (key.length === 1 && localStorage.getItem(OFF)) return;
  if (key === "Enter" && !target.matches("[data-entry]")) return;
  if (!Object.hasOwn(keys, key) || keys[key]() === false) return;
  event.preventDefault();
}

export function listEntries() {
  return [...document.querySelectorAll("[data-entry]")].filter((entry) => entry.checkVisibility());
}

export function currentEntry() {
  return document.activeElement.closest("[data-entry]");
}

/** Return the next entry after the current one, or the first one that can be seen. */
export function findNext(step, matches = () => true) {
  const entries = listEntries();
  const current = currentEntry();
  if (!current) return entries.find((entry) => entry.getBoundingClientRect().bottom > 0);
  for (let index = entries.indexOf(current) + step; entries[index]; index += step) {
    if (matches(entries[index])) return entries[index];
  }
  return null;
}

/** Focus an entry, or its link where the entry itself takes no focus. */
export function focusEntry(entry) {
  const target = entry?.hasAttribute("tabindex") ? entry : entry?.querySelector("a");
  target?.focus({preventScroll: true});
  entry?.scrollIntoView({block: "nearest"});
}

function openExports() {
  const menu = document.querySelector(".menu.exports");
  if (!menu) return false;
  origin = currentEntry();
  menu.open = true;
  menu.querySelector("a").focus();
}

/** Close the open menus and leave the search; returns whether there was one. */
export function closeMenus() {
  const menus = document.querySelectorAll(".menu[open]");
  const focused = document.activeElement;
  if (focused.matches("[type=search]")) focused.blur();
  for (const menu of menus) {
    menu.open = false;
    if (!menu.contains(focused)) continue;
    if (origin?.isConnected) focusEntry(origin);
    else menu.querySelector("summary").focus();
  }
  origin = null;
  return menus.length > 0 || focused.matches("[type=search]");
}
