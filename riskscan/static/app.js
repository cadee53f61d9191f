// What the pages gain with JavaScript. All of them do their job without it.

document.documentElement.classList.add("scripted");
const DRAFT = "riskscan-draft";
const DRAFT_KEY = "riskscan-draft-key";  // so that a draft that is sent again after a reload is one scan

showLocalTimes(document);
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
// who comes next to this browser must not find the text
for (const form of document.querySelectorAll("[data-forget]")) {
  form.addEventListener("submit", forgetDraft);
}
for (const link of document.querySelectorAll("[data-overview]")) showOverview(link);
const scanForm = document.querySelector("#scan");
if (scanForm) setUpScan(scanForm);

function showLocalTimes(part) {
  const short = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});
  const exact = new Intl.DateTimeFormat(undefined, {dateStyle: "full", timeStyle: "long"});
  for (const element of part.querySelectorAll("time")) {
    const moment = new Date(element.dateTime);
    element.textContent = short.format(moment);
    element.title = exact.format(moment);
  }
}

// it comes after the list, which it would hold up; without it the link stays
async function showOverview(link) {
  const page = await fetch(link.href).then((answer) => answer.ok ? answer.text() : "").catch(() => "");
  const figure = new DOMParser().parseFromString(page, "text/html").querySelector(".overview");
  if (!figure) return;
  const names = [...figure.querySelectorAll("[data-category]")].map((named) => named.dataset.category);
  document.querySelector("#categories").append(...names.map((name) => new Option("", name)));
  link.parentElement.replaceWith(figure);
  showLocalTimes(figure);
}

function setUpScan(form) {
  const {text, file, force_llm: forceLlm} = form.elements;
  const section = document.querySelector("#queue");
  const list = section.querySelector("ol");
  const spoken = document.querySelector("#spoken");
  const submit = form.querySelector("[type=submit]");
  const items = new Set();
  let busy = false;

  file.multiple = true;
  keepDraft(text);
  file.addEventListener("change", () => {
    add([...file.files]);
    file.value = "";  // the same file may be chosen again, and more may be added
  });
  // a file that misses the zone would replace the page
  for (const kind of ["dragover", "drop", "dragleave"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      document.documentElement.classList.toggle("dropping", kind === "dragover");
      if (kind === "dragleave") return;
      event.preventDefault();
      if (kind === "drop") add([...event.dataTransfer.files]);
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearErrors();
    if (text.value.trim()) addText();
    for (const item of items) if (item.state === "ready") setState(item, "waiting", "Waiting for its turn");
    if ([...items].some((item) => item.state === "waiting")) sendWaiting();
    else if (![...items].some((item) => ["sending", "analysing"].includes(item.state))) complain("There is nothing to scan: paste a text or add a document.");
  });
  addEventListener("beforeunload", (event) => {
    if ([...items].some((item) => ["waiting", "sending"].includes(item.state))) event.preventDefault();
  });

  // the text stays in its field until its scan is kept, so it may be here already
  function addText() {
    const same = [...items].filter(({source}) => source === text.value);
    if (same.some(({state}) => state !== "failed")) return;
    for (const item of same) remove(item);
    add([text.value]);
  }

  function add(sources) {
    section.hidden = false;
    for (const source of sources) {
      const row = document.querySelector("#row").content.cloneNode(true).firstElementChild;
      const name = typeof source === "string" ? "Pasted text" : source.name;
      const key = (typeof source === "string" && sessionStorage.getItem(DRAFT_KEY)) || newKey();  // sent again, it is not analysed twice
      const item = {source, name, row, key, state: ""};
      row.querySelector(".name").textContent = name;
      row.querySelector(".size").textContent = sizeOf(source);
      row.querySelector("progress").setAttribute("aria-label", `Upload of ${name}`);
      list.append(row);
      items.add(item);
      const refused = refusal(source);
      if (refused) fail(item, refused);
      else setState(item, "ready", "Ready to send", action("Remove", name, () => drop(item)));
    }
  }

  // the server says the same; said here, nobody waits for an upload in vain
  function refusal(source) {
    const {maxBytes, maxMb, types} = form.dataset;
    if ((source.size ?? new Blob([source]).size) > Number(maxBytes)) return `This is too large: at most ${maxMb} MB is taken.`;
    if (source.size === 0) return "This file is empty.";
    const known = typeof source === "string" || types.split(" ").some((type) => source.name.toLowerCase().endsWith(type));
    return known ? "" : `Files of this type cannot be scanned. Send one of: ${types}.`;
  }

  async function sendWaiting() {
    if (busy) return;
    busy = true;
    let item;
    while ((item = [...items].find(({state}) => state === "waiting"))) await send(item);
    busy = false;
  }

  function send(item) {
    const body = new FormData();
    if (typeof item.source === "string") body.append("text", item.source);
    else body.append("file", item.source);
    if (forceLlm.checked) body.append("force_llm", "true");
    const progress = item.row.querySelector("progress");
    const request = new XMLHttpRequest();  // fetch() does not tell how far an upload is
    let clock;

    setState(item, "sending", "Sending… 0 %");
    progress.value = 0;
    request.upload.addEventListener("progress", ({loaded, total}) => {
      const percent = Math.floor((100 * loaded) / total);
      progress.value = percent;
      item.row.querySelector(".state").textContent = `Sending… ${percent} %`;
    });
    request.upload.addEventListener("load", () => {
      const begin = Date.now();
      const tell = () => setState(item, "analysing", `Analysing… ${Math.round((Date.now() - begin) / 1000)} s`);
      progress.removeAttribute("value");
      progress.setAttribute("aria-label", `Analysis of ${item.name}`);
      tell();
      say(`${item.name} is sent and being analysed.`);
      clock = setInterval(tell, 1000);
    });
    return new Promise((resolve) => {
      request.addEventListener("loadend", () => {
        clearInterval(clock);
        finish(item, request);
        resolve();
      });
      request.open("POST", "/api/scan");
      request.setRequestHeader("Idempotency-Key", forceLlm.checked ? `${item.key}-llm` : item.key);
      request.send(body);
    });
  }

  function finish(item, request) {
    const answer = read(request.responseText);
    if (request.status === 200) {
      const count = answer.risk_count;
      const found = count === 0 ? "No risks found" : count === 1 ? "1 risk found" : `${count} risks found`;
      const link = Object.assign(document.createElement("a"), {href: `/scans/${answer.scan_id}`, className: "button open", textContent: "Read"});
      link.setAttribute("aria-label", `Read the risks of ${item.name}`);
      setState(item, "done", found, link);
      say(`${item.name}: ${found}.`);
      if (item.source === text.value) text.value = "";
      if (typeof item.source === "string" && sessionStorage.getItem(DRAFT) === item.source) forgetDraft();
    } else if (request.status === 401) {
      const link = Object.assign(document.createElement("a"), {href: "/login?next=/scan", target: "_blank", className: "button open", textContent: "Log in"});
      fail(item, "You are logged out. Log in (in a new tab), then try again here.", true, link);
    } else if (request.status) {
      const why = Object.values(answer.fields ?? {})[0] ?? answer.detail;
      fail(item, why ?? `The server answered with error ${request.status}.`, request.status === 409 || request.status >= 429);
    } else {
      fail(item, "The connection was lost. Try again: what arrived is not analysed twice.", true);
    }
  }

  function fail(item, why, again = false, ...more) {
    const retry = () => {
      setState(item, "waiting", "Waiting for its turn");
      sendWaiting();
    };
    const actions = again ? [...more, action("Try again", item.name, retry)] : [];
    setState(item, "failed", why, ...actions, action("Remove", item.name, () => drop(item)));
    say(`${item.name}: ${why}`);
  }

  function setState(item, state, words, ...actions) {
    const changed = item.state !== state;
    item.state = item.row.dataset.state = state;
    item.row.querySelector(".state").textContent = words;
    if (!changed) return;
    const held = item.row.contains(document.activeElement);
    item.row.querySelector(".actions").replaceChildren(...actions);
    if (held) (actions[0] ?? submit).focus();  // the button that had the focus is gone
  }

  function remove(item) {
    items.delete(item);
    item.row.remove();
    section.hidden = items.size === 0;
  }

  function drop(item) {
    remove(item);
    file.focus();
  }

  function action(words, name, act) {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: words});
    button.setAttribute("aria-label", `${words}: ${name}`);
    button.addEventListener("click", act);
    return button;
  }

  function complain(words) {
    const wrong = Object.assign(document.createElement("p"), {className: "wrong", id: "text-error", textContent: words});
    text.after(wrong);
    text.setAttribute("aria-invalid", "true");
    text.setAttribute("aria-describedby", wrong.id);
    text.focus();
  }

  function clearErrors() {
    for (const wrong of document.querySelectorAll("#text-error, #file-error, #alert")) wrong.remove();
    for (const field of [text, file]) field.removeAttribute("aria-invalid");
    text.removeAttribute("aria-describedby");
  }

  function say(words) {
    spoken.textContent = words;
  }
}

// what was typed outlives an error, a log-in and a reload, in this tab alone
function keepDraft(text) {
  if (!text.value) text.value = sessionStorage.getItem(DRAFT) ?? "";
  text.addEventListener("input", () => {
    try {
      sessionStorage.setItem(DRAFT, text.value);
      sessionStorage.setItem(DRAFT_KEY, newKey());
    } catch {
      forgetDraft();  // too long to be kept
    }
  });
}

function forgetDraft() {
  for (const name of [DRAFT, DRAFT_KEY]) sessionStorage.removeItem(name);
}

function newKey() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function read(json) {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

function sizeOf(source) {
  const bytes = source.size ?? new Blob([source]).size;
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}
