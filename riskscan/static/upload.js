// The scan page: files and texts are sent one by one, and a draft survives; app.js comes first.

const DRAFT = "riskscan-draft";
const DRAFT_KEY = "riskscan-draft-key";  // idempotency key: a draft sent again after a reload is one scan
const FINISHED = "riskscan-finished";  // rows of the upload queue, for after Back or a reload
const MAX_FINISHED = 100;  // also what an export can choose
const MAX_FILES = 100, MAX_ENTRIES = 2_000;  // of dropped folders

setUpScanForm(document.querySelector("#scan"));

function setUpScanForm(form) {
  const {text, file, force_llm: forceLlm} = form.elements;  // forceLlm only where there is a language model
  const section = document.querySelector("#queue");
  const list = section.querySelector("ol");
  const finishedBar = document.querySelector("#finished");
  const announcement = document.querySelector("#announcement");
  const sample = document.querySelector("form.sample");  // for an account without scans
  const submit = form.querySelector("[type=submit]");
  const items = new Set();
  let uploading = false;

  file.multiple = true;
  autosaveDraft(text);
  restoreFinished();
  finishedBar.querySelector("[data-clear]").addEventListener("click", clearFinished);
  submit.setAttribute("aria-keyshortcuts", "Control+Enter Meta+Enter");
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    event.preventDefault();
    form.requestSubmit();
  });
  file.addEventListener("change", () => {
    add([...file.files]);
    file.value = "";  // lets the same file be chosen again, and more files be added
  });
  // without this, the browser would open a file dropped outside the drop zone
  for (const type of ["dragover", "drop", "dragleave"]) {
    document.addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      document.documentElement.classList.toggle("dropping", type === "dragover");
      if (type === "dragleave") return;
      event.preventDefault();
      if (type === "drop") addDropped(event.dataTransfer);
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearErrors();
    if (text.value.trim()) addText();
    for (const item of items) if (item.state === "ready") setState(item, "queued", say("queued"));
    if ([...items].some((item) => item.state === "queued")) uploadQueued();
    else if (![...items].some((item) => ["uploading", "analysing"].includes(item.state))) showTextError(say("empty"));
  });
  addEventListener("beforeunload", (event) => {
    if ([...items].some((item) => ["queued", "uploading"].includes(item.state))) event.preventDefault();
  });

  // the text stays in its field until its scan is saved, so it may be in the list already
  function addText() {
    const same = [...items].filter(({source}) => source === text.value);
    if (same.some(({state}) => !["failed", "done"].includes(state))) return;
    for (const item of same) if (item.state === "failed") remove(item);
    add([text.value]);
  }

  async function addDropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());  // before the event ends
    if (!entries.some((entry) => entry?.isDirectory)) return add([...transfer.files]);
    const {files, isCut} = await listFiles(entries.filter(Boolean));
    const supported = files.filter(isSupported);
    add(supported);
    const others = files.length - supported.length;
    const sentences = [
      say("added", {number: supported.length}),
      others ? say("leftOut", {number: others}) : "",
      isCut ? say("cut", {number: MAX_FILES}) : "",
    ];
    announce(sentences.filter(Boolean).join(" "), true);
  }

  function add(sources) {
    for (const source of sources) {
      const isText = typeof source === "string";
      const key = (isText && sessionStorage.getItem(DRAFT_KEY)) || newKey();  // a retry is not analysed twice
      const item = addRow({source, name: isText ? say("pasted") : source.name, size: formatSize(source), key});
      const error = validate(source);
      if (error) fail(item, error);
      else setState(item, "ready", say("ready"), removeButton(item));
      item.isRepeated = error ? false : checkRepeated(item);
    }
  }

  function addRow(item) {
    item.row = document.querySelector("#row").content.cloneNode(true).firstElementChild;
    item.state = "";
    item.row.querySelector(".name").textContent = item.name;
    item.row.querySelector(".size").textContent = item.size;
    item.row.querySelector("progress").setAttribute("aria-label", say("uploadingNamed", {name: item.name}));
    list.append(item.row);
    items.add(item);
    showQueue();
    return item;
  }

  // a file with the name, size and content of one further up in the list is not sent, unless the user insists
  async function checkRepeated(item) {
    if (typeof item.source === "string" || !crypto.subtle) return false;
    const above = [...items].filter((other) => other.name === item.name && other.size === item.size);
    for (const other of above.slice(0, above.indexOf(item))) {
      if (other.state === "failed" || await digestOf(other) !== await digestOf(item)) continue;
      if (!["ready", "queued"].includes(item.state)) return false;
      const again = actionButton(say("again"), item.name, () => {
        item.isRepeated = false;
        queueAgain(item);
      });
      setState(item, "skipped", say("repeated"), again, removeButton(item));
      announce(say("repeatedNamed", {name: item.name}));
      return true;
    }
    return false;
  }

  // the same checks and messages as on the server, before anything is uploaded
  function validate(source) {
    const isText = typeof source === "string";
    if ((source.size ?? new Blob([source]).size) > Number(form.dataset.maxBytes)) return say(isText ? "textTooLarge" : "fileTooLarge");
    if (source.size === 0) return say("fileEmpty");
    return isText || isSupported(source) ? "" : form.dataset.unsupported;
  }

  function isSupported({name}) {
    return form.dataset.types.split(" ").some((type) => name.toLowerCase().endsWith(type));
  }

  async function uploadQueued() {
    if (uploading) return;
    uploading = true;
    const sent = [];
    let item;
    while ((item = [...items].find(({state}) => state === "queued"))) {
      if (await item.isRepeated) continue;
      await upload(item);
      await storeFinished();
      sent.push(item);
    }
    uploading = false;
    if (sent.length === 1) openResult(sent[0]);
  }

  // of one text or file alone; whoever typed or added something meanwhile stays
  function openResult(item) {
    const isAlone = [...items].every(({state}) => state === "done") && !text.value.trim();
    if (item.state === "done" && isAlone) location.assign(`/scans/${item.scanId}`);
  }

  function upload(item) {
    item.forceLlm = item.withoutLlm ? false : Boolean(forceLlm?.checked);
    const body = new FormData();
    if (typeof item.source === "string") body.append("text", item.source);
    else body.append("file", item.source);
    if (item.forceLlm) body.append("force_llm", "true");
    const progress = item.row.querySelector("progress");
    const request = new XMLHttpRequest();  // fetch() has no upload progress
    let timer;

    setState(item, "uploading", say("uploading", {percent: 0}));
    progress.value = 0;
    request.upload.addEventListener("progress", ({loaded, total}) => {
      const percent = Math.floor((100 * loaded) / total);
      progress.value = percent;
      item.row.querySelector(".state").textContent = say("uploading", {percent});
    });
    request.upload.addEventListener("load", () => {
      const start = Date.now();
      const showElapsed = () => setState(item, "analysing", say("analysing", {seconds: Math.round((Date.now() - start) / 1000)}));
      progress.removeAttribute("value");
      progress.setAttribute("aria-label", say("analysingNamed", {name: item.name}));
      showElapsed();
      announce(say("uploaded", {name: item.name}));
      timer = setInterval(showElapsed, 1000);
    });
    return new Promise((resolve) => {
      request.addEventListener("loadend", () => {
        clearInterval(timer);
        finish(item, request);
        resolve();
      });
      request.open("POST", "/api/scan");
      request.setRequestHeader("Idempotency-Key", item.forceLlm ? `${item.key}-llm` : item.key);
      request.send(body);
    });
  }

  function finish(item, request) {
    const result = parseJson(request.responseText);
    if (request.status === 200) {
      const count = result.risk_count;
      const notes = result.notes ?? [];  // none from a server of the version before
      item.scanId = result.scan_id;
      showFinished(item, count, notes);
      announce(say(notes.length ? "finishedWithNotes" : "finished", {name: item.name, result: sayCount(count), notes: notes.length}));
      if (item.source === text.value) text.value = "";
      if (typeof item.source === "string" && sessionStorage.getItem(DRAFT) === item.source) clearDraft();
    } else if (request.status === 401) {
      const link = Object.assign(document.createElement("a"), {href: "/login?next=/scan", target: "_blank", className: "button open", textContent: say("logIn")});
      fail(item, say("sessionExpired"), true, link);
    } else if (request.status) {
      const message = Object.values(result.fields ?? {})[0] ?? result.detail;
      const isLlmError = item.forceLlm && result.error === "ai_service_error";
      const canRetry = request.status === 409 || request.status >= 429;
      const actions = isLlmError && canRetry ? [withoutLlmButton(item)] : [];  // the same again would fail again
      fail(item, message ?? say("serverError", {status: request.status}), canRetry && !isLlmError, ...actions);
      if (message) item.row.querySelector(".state").lang = request.getResponseHeader("Content-Language") ?? "en";
    } else {
      fail(item, say("connectionLost"), true);
    }
  }

  function fail(item, message, canRetry = false, ...moreActions) {
    const retry = canRetry ? [actionButton(say("retry"), item.name, () => queueAgain(item))] : [];
    setState(item, "failed", message, ...moreActions, ...retry, removeButton(item));
    announce(`${item.name}: ${message}`);
  }

  function queueAgain(item) {
    setState(item, "queued", say("queued"));
    uploadQueued();
  }

  function withoutLlmButton(item) {
    return actionButton(say("withoutModel"), item.name, () => {
      item.withoutLlm = true;
      queueAgain(item);
    });
  }

  function removeButton(item) {
    return actionButton(say("remove"), item.name, () => removeAndFocus(item));
  }

  function showFinished(item, count, notes) {
    const link = Object.assign(document.createElement("a"), {href: `/scans/${item.scanId}`, className: "button open", textContent: say("view")});
    link.setAttribute("aria-label", `${say("view")}: ${item.name}`);
    Object.assign(item, {count, notes});
    setState(item, "done", sayCount(count), link);
    showNotes(item, notes);
    showFinishedBar();
  }

  function sayCount(number) {
    return number ? say("found", {number}) : say("noneFound");
  }

  // links that export these scans, the last 100
  function showFinishedBar() {
    const finished = listFinished();
    finishedBar.hidden = finished.length === 0;
    for (const link of finishedBar.querySelectorAll("[href^='/scans/export']")) {
      const address = new URL(link.href);
      address.searchParams.delete("scan");
      for (const {scanId} of finished) address.searchParams.append("scan", scanId);
      link.href = address.pathname + address.search;
    }
  }

  function clearFinished() {
    for (const item of items) if (item.state === "done") remove(item);
    sessionStorage.removeItem(FINISHED);
    showFinishedBar();
    file.focus();
  }

  function listFinished() {
    return [...items].filter(({state}) => state === "done").slice(-MAX_FINISHED);
  }

  async function storeFinished() {
    const rows = await Promise.all(listFinished().map(async (item) => {
      const {scanId, name, size, count, notes} = item;
      return {scanId, name, size, count, notes, digest: await digestOf(item)};
    }));
    try {
      sessionStorage.setItem(FINISHED, JSON.stringify({user: form.dataset.user, rows}));
    } catch {
      sessionStorage.removeItem(FINISHED);  // over the storage quota
    }
  }

  function restoreFinished() {
    const {user, rows} = parseJson(sessionStorage.getItem(FINISHED));
    if (user !== form.dataset.user) return sessionStorage.removeItem(FINISHED);
    for (const {scanId, name, size, count, notes, digest} of rows) {
      if (count === undefined) continue;  // stored by the version before
      showFinished(addRow({scanId, name, size, digest}), count, notes);
    }
  }

  function setState(item, state, message, ...actions) {
    const changed = item.state !== state;
    item.state = item.row.dataset.state = state;
    Object.assign(item.row.querySelector(".state"), {textContent: message, lang: document.documentElement.lang});
    if (!changed) return;
    const hadFocus = item.row.contains(document.activeElement);
    item.row.querySelector(".actions").replaceChildren(...actions);
    if (hadFocus) (actions[0] ?? submit).focus();  // the button that had the focus is gone
  }

  function showNotes(item, notes) {
    const box = item.row.querySelector(".notes");
    box.replaceChildren(...notes.map((note) => Object.assign(document.createElement("p"), {dir: "auto", lang: "", textContent: note})));
    box.hidden = notes.length === 0;
  }

  function remove(item) {
    items.delete(item);
    item.row.remove();
    showQueue();
  }

  function showQueue() {
    section.hidden = items.size === 0;
    if (sample) sample.hidden = items.size > 0;
  }

  function removeAndFocus(item) {
    remove(item);
    file.focus();
  }

  function actionButton(label, name, onClick) {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: label});
    button.setAttribute("aria-label", `${label}: ${name}`);
    button.addEventListener("click", onClick);
    return button;
  }

  function showTextError(message) {
    const error = Object.assign(document.createElement("p"), {className: "error", id: "text-error", textContent: message});
    text.after(error);
    text.setAttribute("aria-invalid", "true");
    text.setAttribute("aria-describedby", error.id);
    text.focus();
  }

  function clearErrors() {
    for (const error of document.querySelectorAll("#text-error, #file-error, #alert")) error.remove();
    for (const field of [text, file]) field.removeAttribute("aria-invalid");
    text.removeAttribute("aria-describedby");
  }

  function announce(message, isShown = false) {
    announcement.textContent = message;
    announcement.classList.toggle("visually-hidden", !isShown);
  }
}

// the files in dropped files and folders, and whether some were left out because there are too many
async function listFiles(entries) {
  const files = [];
  let visited = 0;
  while (entries.length && files.length < MAX_FILES && visited < MAX_ENTRIES) {
    const entry = entries.shift();
    visited += 1;
    if (entry.isDirectory) entries.push(...await readFolder(entry));
    else await new Promise((resolve) => entry.file((file) => resolve(files.push(file)), resolve));  // skips what can't be read
  }
  return {files, isCut: entries.length > 0};
}

async function readFolder(entry) {
  const reader = entry.createReader(), found = [];
  while (found.length < MAX_ENTRIES) {
    const more = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));  // 100 at a time
    if (!more.length) break;
    found.push(...more.filter(({name}) => !name.startsWith(".")));
  }
  return found;
}

// the SHA-256 of a file; none of a text, or on a page without TLS
async function digestOf(item) {
  if (typeof item.source === "string" || !crypto.subtle) return "";
  item.digest ??= item.source.arrayBuffer().then((bytes) => crypto.subtle.digest("SHA-256", bytes)).then((digest) => [...new Uint8Array(digest)].join())
    .catch(newKey);  // the file is gone
  return item.digest;
}

// the draft survives errors, logging in and reloads, but only in this tab
function autosaveDraft(text) {
  const draft = sessionStorage.getItem(DRAFT) ?? "";
  // a text from the server, such as a shared one, is newer than the draft
  if (text.defaultValue && text.value !== draft) storeDraft(text.value);
  else text.value ||= draft;
  text.addEventListener("input", () => storeDraft(text.value));
}

function storeDraft(value) {
  try {
    sessionStorage.setItem(DRAFT, value);
    sessionStorage.setItem(DRAFT_KEY, newKey());
  } catch {
    clearDraft();  // over the storage quota
  }
}

function clearDraft() {
  for (const name of [DRAFT, DRAFT_KEY]) sessionStorage.removeItem(name);
}

function newKey() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function parseJson(json) {
  try {
    return JSON.parse(json) ?? {};
  } catch {
    return {};
  }
}

function formatSize(source) {
  const bytes = source.size ?? new Blob([source]).size;
  if (bytes < 1024) return say("bytes", {number: bytes});
  return bytes < 1024 ** 2 ? say("kilobytes", {number: Math.round(bytes / 1024)}) : say("megabytes", {number: (bytes / 1024 ** 2).toFixed(1)});
}
