// The history: the chosen scans are deleted after some seconds, in which that can be undone.
// Without this script a page asks first.

import "./keys.js";

const UNDO_MILLISECONDS = 8_000;
const form = document.querySelector(".compare");
const notice = document.querySelector("#deletion");
let pending = null;  // the rows that are hidden, their IDs and the timer

if (form) {
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.matches("[data-delete]")) return;
    event.preventDefault();
    event.stopPropagation();
    hideChosen();
  });
  for (const type of ["click", "submit"]) document.addEventListener(type, finishBeforeLeaving);
  // the request outlives the page; the first of these comes before the next page is requested
  for (const type of ["beforeunload", "pagehide"]) addEventListener(type, () => send());
  // who is at the notice needs more time
  for (const type of ["focusin", "pointerenter"]) notice.addEventListener(type, () => clearTimeout(pending?.timer));
  for (const type of ["focusout", "pointerleave"]) notice.addEventListener(type, startTimer);
}

async function hideChosen() {
  const boxes = [...form.querySelectorAll("[name=scan]:checked")];
  if (!boxes.length) return announce(say("none"));
  if (pending && !await send()) return;
  const rows = boxes.map((box) => box.closest("li"));
  pending = {rows, ids: boxes.map((box) => box.value)};
  for (const box of boxes) box.checked = false;
  for (const row of rows) row.hidden = true;
  const undo = Object.assign(document.createElement("button"), {type: "button", className: "secondary", textContent: say("undo")});
  undo.addEventListener("click", () => {
    clearTimeout(pending.timer);
    restore(pending);
    pending = null;
    announce(say("undone"));
  });
  announce(say("deleted", {number: rows.length}), undo);
  startTimer();
}

function startTimer() {
  if (!pending) return;
  clearTimeout(pending.timer);
  pending.timer = setTimeout(send, UNDO_MILLISECONDS);
}

/** Delete what is hidden; returns whether that is done. If it is not, show it again and say why. */
async function send() {
  if (!pending) return true;
  const sent = pending;
  clearTimeout(sent.timer);
  pending = null;
  let problem = say("lost");
  try {
    const headers = {"Content-Type": "application/json"};
    const response = await fetch("/api/scans/delete", {method: "POST", headers, body: JSON.stringify({scans: sent.ids}), keepalive: true});
    if (response.ok) {
      for (const row of sent.rows) row.remove();
      if (!pending) announce("");
      refresh();
      return true;
    }
    if (response.status === 401) problem = say("expired");
    else problem = Object.assign(document.createElement("span"), {lang: response.headers.get("Content-Language") ?? "en", textContent: (await response.json()).detail});
  } catch {
    // the connection is lost
  }
  restore(sent);
  announce(problem);
  notice.classList.add("failed");
  return false;
}

function restore({rows}) {
  for (const row of rows) row.hidden = false;
  rows[0].querySelector("input").focus();
}

function announce(message, ...actions) {
  notice.classList.remove("failed");
  notice.replaceChildren(message, ...actions);
}

/** Show how many scans are left, those that moved up to this page, and the links to others; if none is left here, what the server shows. */
async function refresh() {
  if (!form.querySelector("li")) return location.reload();
  const text = await fetch(location.href).then((response) => response.text()).catch(() => "");
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!page.querySelector(".compare")) return;
  addMissing(page.querySelectorAll(".history li"));
  for (const selector of [".count", ".pages"]) {
    const [old, fresh] = [document, page].map((each) => each.querySelector(selector));
    if (fresh) old?.replaceWith(fresh);
    else old?.remove();
  }
}

/** Add the rows that are not in the list yet; the others stay, with what is chosen and the focus. */
function addMissing(rows) {
  const idOf = (row) => row.querySelector("[name=scan]").value;
  const list = form.querySelector(".history");
  const listed = new Map([...list.children].map((row) => [idOf(row), row]));
  let next = list.firstElementChild;
  for (const row of rows) {
    const old = listed.get(idOf(row));
    if (old) next = old.nextElementSibling;
    else list.insertBefore(row, next);
  }
  list.dispatchEvent(new Event("show-times", {bubbles: true}));
}

/** Delete what is hidden before the next page is requested, which would still show it; and before logging out. */
async function finishBeforeLeaving(event) {
  if (!pending || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.type === "click" && event.target.closest("a[href]");
  if (event.type === "click" && (!link || link.target || link.getAttribute("href").startsWith("#"))) return;
  event.preventDefault();
  if (!await send()) return;
  if (link) location.assign(link.href);
  else event.target.requestSubmit(event.submitter);
}
