// The page of a scan: reviews without a reload, filters that keep the scroll position, copying, keys.
// Each form and link also works without this script.

import {closeMenus, currentEntry, findNext, focusEntry, keys, listEntries} from "./keys.js";

const announcement = document.querySelector("#announcement");
const undoable = [];  // for each action the findings that it changed, with their reviews before
const FORMULA = /^\s*[=+\-@＝＋－＠]/;

if (navigator.clipboard?.write) document.documentElement.classList.add("can-copy");
revealTarget();
addEventListener("hashchange", revealTarget);
addEventListener("popstate", () => showPage(location.href));
document.addEventListener("submit", onSubmit);
document.addEventListener("click", onClick);
document.addEventListener("change", onChange);
document.addEventListener("toggle", showReasons, true);  // it does not bubble
Object.assign(keys, {
  c: () => reviewCurrent({state: "confirmed"}),
  d: openReasons,
  u: undo,
  Enter: openDetails,
  Escape: closeAll,
  ...Object.fromEntries([1, 2, 3, 4].map((number) => [number, () => chooseReason(number)])),
});

function onSubmit(event) {
  const form = event.target;
  if (form.matches(".words")) {
    event.preventDefault();
    showPage(`?${new URLSearchParams([...new FormData(form)].filter(([, value]) => value))}`, true);
  } else if (form.matches("#bulk")) {
    event.preventDefault();
    reviewSelected(readFields(form, event.submitter));
  } else if (form.matches(".controls form")) {
    event.preventDefault();
    reviewOne(form.closest(".finding"), form.action.includes("/review/delete") ? null : readFields(form, event.submitter));
  }
}

function onClick(event) {
  const button = event.target.closest("a, button");
  if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (button.dataset.copy) {
    event.preventDefault();
    copy(button);
  } else if (button.matches("[data-undo]")) {
    undo();
  } else if (button.matches(".toolbar a, .chart a, .empty a[href^='?']")) {
    event.preventDefault();
    showPage(button.getAttribute("href"), true);
  }
}

function onChange({target}) {
  if (target.matches("[data-select-all]")) {
    for (const box of document.querySelectorAll("[name=number]")) box.checked = target.checked && box.checkVisibility();
  }
  if (target.form?.id === "bulk") showSelected();
}

// --- reviews

function readFields(form, submitter) {
  const fields = Object.fromEntries([...new FormData(form)].filter(([name, value]) => value && name !== "number"));
  if (submitter?.name) fields[submitter.name] = submitter.value;
  if (fields.reason) fields.state = "dismissed";
  if (fields.state === "confirmed") delete fields.reason;
  return fields;
}

function readReview(finding) {
  return finding.dataset.review ? JSON.parse(finding.dataset.review) : null;
}

/** Review a finding, null to reopen it; returns whether that is saved. */
async function reviewOne(finding, fields) {
  const changes = [{number: finding.dataset.number, before: readReview(finding)}];
  if (!await save(finding, fields)) return false;
  remember(changes, fields);
  return true;
}

async function reviewSelected(fields) {
  const boxes = [...document.querySelectorAll("[name=number]:checked")];
  if (!boxes.length) return announce(say("select"));
  const findings = boxes.map((box) => box.closest(".finding"));
  const changes = findings.map((finding) => ({number: finding.dataset.number, before: readReview(finding)}));
  if (!await saveMany(changes.map(({number}) => ({number, fields})))) return;
  for (const box of boxes) box.checked = false;
  const bulk = document.querySelector("#bulk");
  bulk.reset();
  bulk.querySelector("details").open = false;
  showSelected();
  remember(changes, fields);
}

function remember(changes, fields) {
  undoable.push(changes);
  announce(say(fields?.state ?? "reopened", {number: changes.length}), actionButton(say("undo"), {undo: ""}));
}

async function undo() {
  const changes = undoable.at(-1);
  if (!changes) return announce(say("nothing-to-undo"));
  const reviewed = changes.filter(({before}) => before).map(({number, before}) => ({number, fields: before}));
  if (reviewed.length && !await saveMany(reviewed)) return;
  for (const {number, before} of changes) if (!before && !await save(findFinding(number), null)) return;
  undoable.pop();
  announce(say("undone"));
  focusEntry(findFinding(changes[0].number));
}

async function save(finding, fields) {
  if (finding.ariaBusy === "true") return false;
  finding.ariaBusy = "true";
  const path = `/api/scans/${scanId()}/findings/${finding.dataset.number}/review`;
  const answer = await send(fields ? "PUT" : "DELETE", path, fields);
  finding.ariaBusy = null;
  if (answer) showReview(finding, fields, answer.review);
  return Boolean(answer);
}

async function saveMany(reviews) {
  const items = reviews.map(({number, fields}) => ({...fields, number: Number(number), scan_id: scanId()}));
  const answer = await send("POST", "/api/reviews", items);
  if (!answer) return false;
  const made = {updated_at: new Date().toISOString()};
  for (const {number, fields} of reviews) showReview(findFinding(number), fields, made);
  return true;
}

/** Send JSON; returns the answer, or null after saying what went wrong. */
async function send(method, path, body) {
  try {
    const headers = {"Content-Type": "application/json"};
    const response = await fetch(path, {method, headers, body: body ? JSON.stringify(body) : undefined});
    const answer = await response.json();
    if (response.ok) return answer;
    if (response.status === 401) {
      const link = Object.assign(document.createElement("a"), {href: "/login", target: "_blank", textContent: say("log-in")});
      announceError(say("expired"), link);
    } else {
      const problem = Object.values(answer.fields ?? {})[0] ?? answer.detail;
      const sentence = document.createElement("span");
      const language = response.headers.get("Content-Language") ?? "en";
      sentence.append(...fill("problem", {problem: makeText("span", problem, language)}));
      announceError(sentence);
    }
  } catch {
    announceError(say("lost"));
  }
  return null;
}

function showReview(finding, fields, review) {
  if (!finding) return;  // undone after the filter hid it
  const same = `[data-sentence="${finding.dataset.sentence}"]`;
  for (const each of document.querySelectorAll(`.finding${same}`)) {
    const state = fields?.state ?? "open";
    count(each.dataset.state, -1);
    count(state, 1);
    const controls = each.querySelector(".controls");
    const hadFocus = each.contains(document.activeElement);
    each.dataset.state = state;
    each.dataset.review = fields ? JSON.stringify(fields) : "";
    if (controls) controls.replaceChildren(makeControls(state, each.dataset.number, fields));
    each.querySelector(".decision").replaceChildren(...describe(fields, review, controls ? "" : say("state-open")));
    if (hadFocus) focusEntry(each);
  }
}

function count(state, change) {
  const element = document.querySelector(`[data-count="${state}"]`);
  element.textContent = Number(element.textContent) + change;
}

function makeControls(state, number, fields) {
  const controls = document.querySelector(`#controls-${state}`).content.cloneNode(true);
  for (const form of controls.querySelectorAll("form")) {
    form.action = form.getAttribute("action").replace("{n}", number);
  }
  const edit = controls.querySelector(".edit form");
  for (const [name, value] of Object.entries(edit ? fields : {})) edit.elements[name].value = value ?? "";
  return controls;
}

// as the macro decision() in _findings.html
function describe(fields, review, open) {
  if (!fields) return [open];
  const time = Object.assign(document.createElement("time"), {dateTime: review.updated_at});
  const parts = fill("decision", {state: makeText("b", say(`state-${fields.state}`)), when: time});
  for (const name of ["reason", "owner", "likelihood", "impact", "response", "due", "comment"]) {
    if (!fields[name]) continue;
    const text = makeText("bdi", labelOf(name, fields[name]), ["owner", "comment"].includes(name) ? "" : undefined);
    parts.push(" · ", ...(name === "reason" ? [text] : fill(name, {[name]: text})));
  }
  time.textContent = formatTime(new Date(review.updated_at));
  return parts;
}

/** Return what the page calls a value of a button or an option. */
function labelOf(name, value) {
  if (name === "due") return formatDay(value);
  if (["owner", "comment"].includes(name)) return value;
  const {content} = document.querySelector("#controls-confirmed");
  const option = content.querySelector(`select[name="${name}"] option[value="${value}"], button[name="${name}"][value="${value}"]`);
  return option.textContent;
}

function showSelected() {
  const number = document.querySelectorAll("[name=number]:checked").length;
  document.querySelector("#bulk .selected").textContent = say("selected", {number});
}

// --- filters

/** Show the page of another query, and keep the scroll position. */
async function showPage(href, isNew = false) {
  try {
    const page = await fetchPage(href);
    const report = page.querySelector("#report");
    if (isNew) history.pushState(null, "", href);
    document.querySelector("#report").replaceWith(report);
    for (const selector of [".actions-bar .menu", "template#controls-open", "template#controls-confirmed", "template#controls-dismissed"]) {
      document.querySelector(selector).replaceWith(page.querySelector(selector));
    }
    report.dispatchEvent(new Event("show-times", {bubbles: true}));
    announce(report.querySelector("[data-shown]").textContent);
    announcement.classList.add("quiet");  // for screen readers; the list shows it
    const focused = [...report.querySelectorAll("a")].find((link) => link.getAttribute("href") === href) ?? report.querySelector("[name=q]");
    if (isNew) focused.focus({preventScroll: true});
  } catch {
    location.assign(href);  // the browser shows what is wrong
  }
}

/** Load the reasons of a finding when they are opened. */
async function showReasons({target}) {
  const link = target.matches(".why[open]") && target.querySelector("a");
  if (!link) return;
  try {
    const page = await fetchPage(link.href);
    const [, ...reasons] = page.querySelector(".why").children;  // after the summary
    link.parentElement.replaceWith(...reasons);
  } catch {
    location.assign(link.href);
  }
}

async function fetchPage(href) {
  const response = await fetch(href, {headers: {Accept: "text/html"}});
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!response.ok || !page.querySelector("#report")) throw new Error(`status ${response.status}`);
  return page;
}

/** Open what the finding in the address is folded away in. */
function revealTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const folded = target?.closest?.(".folded:not([open])");
  if (!folded) return;
  folded.open = true;
  target.scrollIntoView();
}

// --- copying

async function copy(button) {
  button.closest("details")?.removeAttribute("open");
  const finding = button.closest(".finding");
  if (button.dataset.copy === "link") {
    const address = `${location.origin}${location.pathname}#${finding.id}`;
    return write({"text/plain": address}, say("link-copied"));
  }
  const findings = finding ? [finding] : listEntries();
  const columns = ["number", "risk", "category", "quote", "place", "review"].map((name) => say(`column-${name}`));
  const rows = [columns, ...findings.map(readRow)];
  const text = rows.map((row) => row.map((cell) => cell.replace(/\s+/g, " ")).join("\t")).join("\n");
  write({"text/plain": text, "text/html": makeTable(rows).outerHTML}, say("copied", {number: findings.length}));
}

async function write(content, done) {
  const blobs = Object.entries(content).map(([type, text]) => [type, new Blob([text], {type})]);
  try {
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
    announce(done);
  } catch {
    announceError(say("not-copied"));
  }
}

function readRow(finding) {
  const read = (selector) => finding.querySelector(selector)?.textContent.trim() ?? "";
  const title = read(".title"), quote = read("blockquote, q"), decision = read(".decision");
  const cells = [title || quote, read(".tag"), title ? quote : "", read(".place"), decision || say("state-open")];
  return [finding.dataset.number, ...cells.map((cell) => FORMULA.test(cell) ? `'${cell}` : cell)];
}

function makeTable(rows) {
  const table = document.createElement("table");
  for (const row of rows) {
    const line = table.insertRow();
    for (const cell of row) line.insertCell().textContent = cell;
  }
  table.border = "1";
  return table;
}

// --- keys

function findFinding(number) {
  return document.getElementById(`finding-${number}`);
}

/** Review the selected findings of the table or the current one, then go to the next open one. */
async function reviewCurrent(fields) {
  if (document.querySelector("[name=number]:checked")) return reviewSelected(fields);
  const finding = currentEntry();
  if (!finding) return focusEntry(findNext(1));
  if (await reviewOne(finding, fields)) focusEntry(findNext(1, ({dataset}) => dataset.state === "open"));
}

function openReasons() {
  const current = currentEntry();
  if (!current && !document.querySelector("[name=number]:checked")) return focusEntry(findNext(1));
  const details = current?.querySelector(".dismiss") ?? document.querySelector("#bulk .dismiss");
  if (!details) return;
  details.open = true;
  details.dataset.number = current?.dataset.number ?? "";
  if (details.closest("#bulk") && current && !document.querySelector("[name=number]:checked")) keys.x();
  details.querySelector("button").focus({preventScroll: true});
  details.scrollIntoView({block: "nearest"});
}

function chooseReason(number) {
  const details = document.activeElement.closest(".dismiss[open]");
  if (!details) return false;
  const {value} = details.querySelectorAll("[name=reason]")[number - 1];
  const comment = details.querySelector("[name=comment]").value.trim();
  const fields = {state: "dismissed", reason: value, ...(comment && {comment})};
  return details.closest("#bulk") ? reviewSelected(fields) : reviewCurrent(fields);
}

function openDetails() {
  const details = currentEntry().querySelector(".why, .edit");
  if (details) details.open = !details.open;
  else if (currentEntry().matches("tr")) currentEntry().querySelector(".anchor").click();
}

function closeAll() {
  const current = currentEntry();
  closeMenus();
  for (const details of document.querySelectorAll("#report details[open]:not(.folded)")) details.open = false;
  announcement.replaceChildren();
  if (current) focusEntry(current);
}

// --- messages

/** Return the parts of a sentence of this page, with elements as its values. */
function fill(name, elements) {
  const places = Object.fromEntries(Object.keys(elements).map((value) => [value, `{${value}}`]));
  return say(name, places).split(/{(\w+)}/).map((part, index) => index % 2 ? elements[part] : part);
}

function makeText(tag, textContent, lang = document.documentElement.lang) {
  return Object.assign(document.createElement(tag), {textContent, lang});
}

function announce(message, ...actions) {
  announcement.classList.remove("failed", "quiet");
  announcement.replaceChildren(message, ...actions.flatMap((action) => [" ", action]));
}

function announceError(message, ...actions) {
  announce(message, ...actions);
  announcement.classList.add("failed");
}

function actionButton(label, dataset) {
  const button = Object.assign(document.createElement("button"), {type: "button", className: "secondary", textContent: label});
  Object.assign(button.dataset, dataset);
  return button;
}

function scanId() {
  return document.querySelector("#report").dataset.scan;
}
