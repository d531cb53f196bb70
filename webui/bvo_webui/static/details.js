// Detail pages: what is asked again while a row lives, logs that are followed, JSON that is copied. Comfort only, as app.js.
"use strict";

// --- Parts that come again: one that is the same stays untouched, and none moves under a hand or an eye.

const isBusy = (part) => {
  const focused = document.activeElement;
  const selection = getSelection();
  return (part.contains(focused) && focused.matches("input, select, textarea"))
    || (!selection.isCollapsed && part.contains(selection.anchorNode))
    || part.querySelector(":popover-open") !== null;
};
const open = new Set();
let focusBack = null;
let heldBack = false;

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const part = event.detail.target;
  const incoming = event.detail.fragment.firstElementChild;
  if (part.id === "live") {
    event.detail.shouldSwap = !heldBack; // else it is asked again with the old tag, until all could be shown
    heldBack = false;
    return;
  }
  if (part.dataset.tag && part.dataset.tag === incoming?.dataset.tag) {
    event.detail.shouldSwap = false;
    return;
  }
  if (isBusy(part)) {
    event.detail.shouldSwap = false;
    heldBack = true;
    return;
  }
  for (const details of part.querySelectorAll("details[id]")) details.open ? open.add(details.id) : open.delete(details.id);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  focusBack = focused && { tag: focused.tagName, text: focused.textContent };
});
document.addEventListener("htmx:oobAfterSwap", (event) => {
  const part = document.getElementById(event.detail.target.id) ?? event.detail.target;
  for (const details of part.querySelectorAll("details[id]")) if (open.has(details.id)) details.open = true;
  if (focusBack) {
    [...part.querySelectorAll(focusBack.tag)].find((one) => one.textContent === focusBack.text)?.focus();
    focusBack = null;
  }
  prepare(part);
});

// --- Times that go on

const duration = (seconds) => {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
};
const tick = () => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-elapsed]")) {
    time.textContent = duration(Math.max(0, Math.floor((Date.now() - new Date(time.dateTime)) / 1000)));
  }
};

// --- Copying

const prepare = (root) => {
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.ariaLive = "polite";
  }
  tick();
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const words = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = words; }, 1500);
});

// --- A log: it follows while it stands at its end, and is searched in place.

const EVERY = 2000;
const MOST = 5000; // lines that a page keeps
const HEADERS = { "HX-Request": "true", Accept: "text/html" };

class LogView {
  constructor(root) {
    this.form = root.querySelector("form");
    this.box = root.querySelector(".log");
    this.newer = root.querySelector(".newer");
    this.form.addEventListener("submit", (event) => this.submitted(event));
    this.form.addEventListener("input", (event) => {
      if (event.target.name === "line") return;
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.seek(), event.target.type === "search" ? 300 : 0);
    });
    this.box.addEventListener("click", (event) => {
      const link = event.target.closest(".earlier a, .later a");
      if (!link) return;
      event.preventDefault();
      link.closest(".earlier") ? this.earlier(link) : this.show(link.href);
    });
    this.newer.querySelector("button").addEventListener("click", () => this.toEnd());
    this.box.addEventListener("scroll", () => { if (this.atEnd()) this.newer.hidden = true; });
    const chosen = this.box.querySelector("[aria-current]");
    chosen ? chosen.scrollIntoView({ block: "center" }) : this.toEnd();
    setInterval(() => this.follow(), EVERY);
  }

  get lines() { return this.box.querySelector(".lines"); }
  get list() { return this.box.querySelector("ol"); }
  atEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 30; }
  toEnd() { this.box.scrollTop = this.box.scrollHeight; this.newer.hidden = true; }

  async fetch(url) {
    const response = await fetch(url, { headers: HEADERS });
    const login = response.headers.get("HX-Redirect");
    if (login) location.assign(login);
    if (!response.ok) throw new Error(`The log can't be read: ${response.status}`);
    const holder = document.createElement("template");
    holder.innerHTML = await response.text();
    return holder.content.querySelector(".lines");
  }

  async show(url) {
    const incoming = await this.fetch(url);
    this.lines.replaceWith(incoming);
    this.toEnd();
  }

  seek() {
    const asked = new URLSearchParams(new FormData(this.form));
    asked.delete("line");
    return this.show(`${this.form.action}?${asked}`).catch(() => {});
  }

  submitted(event) {
    if (this.form.elements.line.value) return; // a line is a page of its own, which can be linked
    event.preventDefault();
    clearTimeout(this.typing);
    this.seek();
  }

  async earlier(link) {
    const incoming = await this.fetch(link.href);
    const fromEnd = this.box.scrollHeight - this.box.scrollTop;
    this.list.prepend(...incoming.querySelectorAll("li"));
    const more = incoming.querySelector(".earlier");
    more ? link.closest(".earlier").replaceWith(more) : link.closest(".earlier").remove();
    this.box.scrollTop = this.box.scrollHeight - fromEnd;
    this.box.focus({ preventScroll: true });
  }

  trim() {
    if (this.list.children.length <= MOST) return;
    while (this.list.children.length > MOST) this.list.firstElementChild.remove();
    const first = this.list.firstElementChild.id.slice(1);
    const link = document.createElement("p");
    link.className = "earlier";
    link.innerHTML = '<a class="button quiet">Earlier lines</a>';
    link.firstChild.href = this.lines.dataset.follow.replace(/after=[^&]*/, `before=${first}`);
    this.lines.querySelector(".earlier")?.remove();
    this.lines.prepend(link);
  }

  async follow() {
    const url = this.lines.dataset.follow;
    if (!url || document.hidden || this.asking) return;
    this.asking = true;
    try {
      const incoming = await this.fetch(url);
      if (this.lines.dataset.follow === url) this.take(incoming);
    } catch {
      // The server is away for a moment: the next time tells.
    } finally {
      this.asking = false;
    }
  }

  take(incoming) {
    const stays = this.atEnd();
    this.lines.dataset.follow = incoming.dataset.follow;
    if ("replaces" in incoming.dataset) {
      this.lines.replaceWith(incoming);
      this.toEnd();
      return;
    }
    let grew = false;
    for (const line of incoming.querySelectorAll("li")) {
      const known = this.list.querySelector(`#${line.id}`);
      if (known?.isEqualNode(line)) continue;
      known ? known.replaceWith(line) : this.list.append(line);
      grew = true;
    }
    if (!grew) return;
    if (stays) {
      this.trim();
      this.toEnd();
    } else {
      this.newer.hidden = false;
    }
  }
}

prepare(document);
document.addEventListener("htmx:afterSwap", (event) => prepare(event.target));
setInterval(tick, 1000);
for (const root of document.querySelectorAll("[data-logview]")) new LogView(root);
