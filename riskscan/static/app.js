// Progressive enhancement: every page works without JavaScript.

document.documentElement.classList.add("scripted");

// the sentences of this page's scripts
const SENTENCES = JSON.parse(document.querySelector("#sentences")?.textContent ?? "{}");
const {lang} = document.documentElement;
const LOCALE = navigator.languages.find((tag) => tag.split("-")[0] === lang) ?? lang;  // such as en-GB
// Chromium has no names of months in Khmer (they are “M11”, or English): its dates are in numbers then
const HAS_MONTHS = Intl.DateTimeFormat.supportedLocalesOf(LOCALE).length > 0 && !/M\d/.test(new Intl.DateTimeFormat(LOCALE, {month: "short"}).format());
Object.assign(globalThis, {formatDay, formatTime, say});  // for the other scripts

showLocalTimes(document);
document.addEventListener("show-times", (event) => showLocalTimes(event.target));  // findings.js replaces a part of its page
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
// the next user of this browser must not see the draft and the uploads
for (const form of document.querySelectorAll("[data-clear-draft]")) {
  form.addEventListener("submit", () => sessionStorage.clear());
}
// the text of an expired session, which the log-in at a provider does not send on
for (const {value} of document.querySelectorAll("[data-draft]")) keepDraft(value);
for (const button of document.querySelectorAll("[data-show-password]")) setUpShowPassword(button);
if (navigator.clipboard) document.documentElement.classList.add("has-clipboard");
for (const button of document.querySelectorAll("[data-copy-from]")) button.addEventListener("click", () => copySecret(button));
document.addEventListener("click", ({target}) => closeMenus((menu) => !menu.contains(target) || target.closest("a")));
document.addEventListener("keydown", ({key}) => key === "Escape" && closeMenus(() => true));

/** Return a sentence with its values; of a list, the singular or the plural for the value `number`. */
function say(name, values = {}) {
  const sentence = [SENTENCES[name]].flat().at(values.number === 1 ? 0 : -1);
  return sentence.replace(/{(\w+)}/g, (_, value) => values[value]);
}

function formatTime(moment, {dateStyle = "medium", ...options} = {timeStyle: "short"}) {
  return new Intl.DateTimeFormat(HAS_MONTHS ? LOCALE : "en-GB", {dateStyle: HAS_MONTHS ? dateStyle : "short", ...options}).format(moment);
}

/** Format a day such as 2026-11-30, which is the same everywhere. */
function formatDay(day) {
  return formatTime(new Date(day), {timeZone: "UTC"});
}

function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time")) {
    if (!element.dateTime.includes("T")) {
      if (HAS_MONTHS) element.textContent = formatDay(element.dateTime);
      continue;
    }
    const moment = new Date(element.dateTime);
    element.textContent = formatTime(moment);
    element.title = formatTime(moment, {dateStyle: "full", timeStyle: "long"});
  }
}

function keepDraft(text) {
  try {
    sessionStorage.removeItem("riskscan-draft-key");  // of another text
    sessionStorage.setItem("riskscan-draft", text);
  } catch {}  // over the storage quota
}

function setUpShowPassword(button) {
  const input = document.getElementById(button.dataset.showPassword);
  const show = (isShown) => {
    input.type = isShown ? "text" : "password";
    button.setAttribute("aria-pressed", isShown);
  };
  button.hidden = false;
  button.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false));  // password managers store what such a field holds
}

async function copySecret(button) {
  const status = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copyFrom).textContent);
    status.textContent = status.dataset.done;
  } catch {
    status.textContent = status.dataset.failed;
  }
}

/** Close the open menus that match; the focus goes from inside of one to its button. */
function closeMenus(matches) {
  for (const menu of document.querySelectorAll(".menu[open]")) {
    if (!matches(menu)) continue;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
}
