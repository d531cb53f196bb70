// The palette, and messages that can be put away. Search is a page of its own without this file.
"use strict";
(() => {
  const opener = document.querySelector("[data-palette]");
  for (const toast of document.querySelectorAll(".toast")) {
    const close = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "×" });
    close.setAttribute("aria-label", "Put this message away");
    close.addEventListener("click", () => { toast.remove(); document.getElementById("main").focus(); });
    toast.append(close);
    toast.classList.add("floating");
  }
  if (!opener) return;

  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const field = make("input", { type: "search", maxLength: 100, autocomplete: "off", spellcheck: false, placeholder: "Go to a page, or anything by its name" });
  const list = make("ul", { id: "palette-results" });
  const empty = make("p", { className: "muted", hidden: true });
  const dialog = make("dialog", { className: "palette" }, field, list, empty);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "true", "aria-controls": list.id, "aria-autocomplete": "list", "aria-label": "Go to" })) field.setAttribute(name, value);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Results");
  empty.setAttribute("role", "status");
  dialog.setAttribute("aria-label", "Go to");

  let current = 0, asked = 0, timer;
  const options = () => [...list.children];
  const choose = (place) => {
    const all = options();
    if (!all.length) return field.removeAttribute("aria-activedescendant");
    current = (place + all.length) % all.length;
    all.forEach((each, index) => each.setAttribute("aria-selected", String(index === current)));
    field.setAttribute("aria-activedescendant", all[current].id);
    all[current].scrollIntoView({ block: "nearest" });
  };
  const show = (results) => {
    list.replaceChildren(...results.map((result, index) => {
      const option = make("li", { id: `palette-${index}` }, make("span", { textContent: result.label }), make("span", { className: "muted", textContent: result.kind }));
      option.setAttribute("role", "option");
      option.dataset.url = result.url;
      option.addEventListener("click", () => location.assign(result.url));
      option.addEventListener("pointermove", () => choose(index));
      return option;
    }));
    empty.hidden = results.length > 0;
    empty.textContent = results.length ? "" : "Nothing has this name.";
    choose(0);
  };
  const ask = async () => {
    const number = ++asked;
    const answer = await fetch(`${opener.dataset.palette}?q=${encodeURIComponent(field.value)}`, { headers: { Accept: "application/json" } });
    if (answer.status === 401) return location.reload();
    if (answer.ok && number === asked) show((await answer.json()).results);
  };
  const open = () => {
    if (dialog.open) return;
    if (!dialog.isConnected) document.body.append(dialog);
    document.getElementById("menu")?.matches(":popover-open") && document.getElementById("menu").hidePopover();
    dialog.showModal();
    field.select();
    ask().catch(() => {});
  };
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => ask().catch(() => {}), 120); });
  field.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: current + 1, ArrowUp: current - 1 };
    if (event.key in steps) {
      event.preventDefault();
      choose(steps[event.key]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = options()[current];
      if (chosen) location.assign(chosen.dataset.url);
    }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  opener.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
    const asks = (event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey);
    if (!asks) return;
    event.preventDefault();
    open();
  });
})();
