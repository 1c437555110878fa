// Keeps a page current, and little else: every page works without it. What is shown is made on the
// server; the parts of a page that have changed are put in the place of those that were there.
"use strict";

const main = document.querySelector("main");
const sign = document.getElementById("live");

/** The longest log that is kept in a page, in characters. What is above is a link away. */
const LOG_CHARACTERS_MAX = 2_000_000;
/** The shortest time between two looks, in milliseconds. */
const LOOK_PAUSE = 400;
/** How soon what a log tells is kept elsewhere, in milliseconds. */
const LOOKS_AFTER = 1500;
/** How long it waits after an answer that it did not expect, in milliseconds. */
const RETRY_PAUSE = 3000;

// --- parts of the page that change --------------------------------------------------------------

let looking = false;
let lookAgain = false;

async function look() {
  if (looking) { lookAgain = true; return; }
  looking = true;
  try {
    const answer = await fetch(location.href, { headers: { "runners-part": "1" }, credentials: "same-origin" });
    if (answer.status === 401) { location.reload(); return; }
    if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The connection is cut: the next event tells to look again.
  }
  await new Promise((done) => setTimeout(done, LOOK_PAUSE));
  looking = false;
  if (lookAgain) { lookAgain = false; look(); }
}

function put(page) {
  for (const fresh of page.querySelectorAll("[data-part]")) {
    const old = document.getElementById(fresh.id);
    if (!old || isBusy(old) || old.innerHTML === fresh.innerHTML) continue;
    // What has a life of its own is put anew only when it is about something else.
    if (fresh.dataset.about && fresh.dataset.about === old.dataset.about) continue;
    old.dataset.about = fresh.dataset.about ?? "";
    const focused = old.contains(document.activeElement) ? address(document.activeElement) : null;
    old.replaceChildren(...fresh.childNodes);
    prepare(old);
    if (focused) find(old, focused)?.focus({ preventScroll: true });
  }
  const log = document.getElementById("log");
  const freshLog = page.getElementById("log");
  if (log && freshLog && log.dataset.grant !== freshLog.dataset.grant) {
    log.replaceWith(freshLog);
    follow(freshLog);
  }
  const ended = !page.querySelector("main")?.dataset.live;
  if (ended && source) { source.close(); source = null; sign.hidden = true; }
}

/** Whether somebody is about to do something there: a question is open, or a field is filled in. */
function isBusy(part) {
  return part.querySelector("details[open], [data-live][data-open]") !== null
    || (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"))
    || (!getSelection().isCollapsed && part.contains(getSelection().anchorNode));
}

/** What finds an element again after its part was put anew. */
function address(element) {
  return element.id ? `#${CSS.escape(element.id)}`
    : element.getAttribute("href") ? `[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
}

function find(part, selector) {
  return selector && part.querySelector(selector);
}

// --- the feed -----------------------------------------------------------------------------------

// A browser keeps few connections to one host, and a page that nobody sees needs none: they are
// given up while it is hidden, and go on from the last event afterwards.

let source = null;
let place = null;

function listen() {
  const address = new URL(main.dataset.live, location.href);
  if (place) address.searchParams.set("after", place);
  source = new EventSource(address);
  sign.hidden = false;
  source.onopen = () => tell(true);
  source.onerror = () => {
    tell(false);
    // A browser comes again by itself after a cut, but not after an answer that it did not expect: of
    // a proxy, or of a server that does not know the session any more. Looking tells which.
    if (source?.readyState === EventSource.CLOSED) setTimeout(again, RETRY_PAUSE);
  };
  const told = (event) => { place = event.lastEventId; look(); };
  source.addEventListener("changed", told);
  // Nothing happened to jobs, but runners come and go, and time passes.
  source.addEventListener("idle", told);
}

function again() {
  if (!source || document.hidden || source.readyState !== EventSource.CLOSED) return;
  look();
  listen();
}

function tell(isLive) {
  sign.classList.toggle("cut", !isLive);
  sign.querySelector(".words").textContent = isLive ? "live" : "reconnecting";
}

document.addEventListener("visibilitychange", () => {
  const section = document.getElementById("log");
  if (document.hidden) {
    source?.close();
    logSource?.close();
  } else {
    if (source) { listen(); look(); }
    if (logSource) follow(section);
  }
});

// --- logs ---------------------------------------------------------------------------------------

let logSource = null;

function follow(section) {
  logSource?.close();
  logSource = null;
  const text = section?.querySelector("[data-log]");
  if (!text) return;
  text.scrollTop = text.scrollHeight;
  logSource = new EventSource(text.dataset.log);
  const add = (event) => {
    const isAtEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 24;
    text.append(JSON.parse(event.data));
    while (text.textContent.length > LOG_CHARACTERS_MAX && text.firstChild !== text.lastChild) text.firstChild.remove();
    if (isAtEnd) text.scrollTop = text.scrollHeight;
    // What is told there stands elsewhere on the page as well, a moment later.
    if (text.closest("[data-looks]")) { look(); setTimeout(look, LOOKS_AFTER); }
    // Where it goes on after a pause.
    const address = new URL(text.dataset.log, location.href);
    address.searchParams.set("from", event.lastEventId.split("-")[1]);
    text.dataset.log = address.href;
  };
  logSource.addEventListener("log", add);
  logSource.addEventListener("end", (event) => {
    add(event);
    logSource.close();
    logSource = null;
    delete text.dataset.log;
    look();
  });
}

// --- what a page has of buttons and times ---------------------------------------------------------

/** Times are told in UTC by the server; whoever points at one reads their own. */
function prepare(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.getAttribute("datetime")).toLocaleString();
  }
  for (const button of part.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
  for (const file of part.querySelectorAll("[data-into]")) file.closest("label").hidden = false;
}

/** A file that is chosen becomes what is typed: the field beside it, and the name if there is none. */
document.addEventListener("change", async (event) => {
  const chosen = event.target.dataset.into && event.target.files[0];
  if (!chosen) return;
  const { elements } = event.target.form;
  elements[event.target.dataset.into].value = await chosen.text();
  if (elements.name && !elements.name.value) elements.name.value = chosen.name.replace(/\.json$/, "");
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  }
  // A question that is not answered is closed by whatever else is clicked.
  for (const open of document.querySelectorAll("details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.confirm[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// On a narrow screen the sections are a row that scrolls: the one that is shown is to be seen in it.
const here = document.querySelector('.top nav a[aria-current="page"]');
const row = here?.closest("ul");
if (row) row.scrollLeft = here.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;

prepare(document);
if (main?.dataset.live) listen();
follow(document.getElementById("log"));
