// Comfort only: every page reads and works without this file.
"use strict";

// Tools of the reference open /#/sdk-auth?session_id=…; a fragment reaches no server.
if (location.hash.startsWith("#/sdk-auth?")) location.replace(location.hash.slice(1));

// The exact time in the viewer's own zone, beside the UTC that the server wrote.
const localise = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "long" });
  }
};

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

document.addEventListener("htmx:beforeSwap", remember);
document.addEventListener("htmx:afterSwap", () => { restore(); localise(document); });
// A tab that nobody sees asks nothing.
document.addEventListener("htmx:beforeRequest", (event) => { if (document.hidden) event.preventDefault(); });

restore();
localise(document);
