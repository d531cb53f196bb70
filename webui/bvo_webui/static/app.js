// Comfort only: every page reads and works without this file.
"use strict";

// Tools of the reference open /#/sdk-auth?session_id=…; a fragment reaches no server.
if (location.hash.startsWith("#/sdk-auth?")) location.replace(location.hash.slice(1));

// Times in the viewer's own zone. What the server wrote, in UTC, is told on hover; relative ones go on.
const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [604800, 86400, "d"]];
const ago = (date) => {
  const seconds = (Date.now() - date) / 1000, size = Math.abs(seconds);
  if (size < 60) return "just now";
  const step = STEPS.find(([limit]) => size < limit);
  if (!step) return date.toLocaleDateString([], { dateStyle: "medium" });
  const amount = `${Math.floor(size / step[1])} ${step[2]}`;
  return seconds > 0 ? `${amount} ago` : `in ${amount}`;
};
const localise = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (time.dataset.local) continue;
    time.dataset.local = "yes";
    const date = new Date(time.dateTime), utc = time.dateTime.replace("T", " ").replace("Z", " UTC");
    const local = date.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    if (/ UTC$/.test(time.textContent)) {
      time.textContent = local;
      time.title = utc;
    } else {
      time.dataset.relative = "yes";
      time.title = `${local}, ${utc}`;
    }
  }
};
setInterval(() => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const text = ago(new Date(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}, 20000);

// A log that stands at its end follows; one that was scrolled up stays where it is.
const scrolls = new Map();
const logs = () => document.querySelectorAll(".log");
const remember = () => {
  for (const log of logs()) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    scrolls.set(log.closest("[id]")?.id, atEnd ? Infinity : log.scrollTop);
  }
};
const restore = () => {
  for (const log of logs()) {
    log.scrollTop = Math.min(scrolls.get(log.closest("[id]")?.id) ?? Infinity, log.scrollHeight);
  }
};

// The dashboard's cards are not changed under somebody's hands.
const inUse = (part) => part.id === "cards" && (part.contains(document.activeElement) || part.querySelector("details[open]"));

document.addEventListener("htmx:beforeSwap", (event) => {
  if (inUse(event.target)) event.detail.shouldSwap = false; // since it was asked for
  remember();
});
document.addEventListener("htmx:afterSwap", () => { restore(); localise(document); });
// A tab that nobody sees asks nothing.
document.addEventListener("htmx:beforeRequest", (event) => { if (document.hidden || inUse(event.target)) event.preventDefault(); });

restore();
localise(document);
document.addEventListener("bvo:changed", (event) => localise(event.detail));
