// Lists that stay current without moving. Without this file a list is as it was when it was opened.
"use strict";
(() => {
  const table = document.getElementById("rows"), news = document.querySelector(".news");
  const bulk = document.getElementById("bulk");
  const boxes = () => [...table.querySelectorAll("input[name=ids]")];
  const chosen = () => boxes().filter((box) => box.checked);
  const ids = (root) => new Map([...root.querySelectorAll("tr[data-row]")].map((row) => [row.dataset.row, row]));

  // Selection: one box for all rows of the page, and a bar that comes with the first one.
  const count = () => {
    const number = chosen().length, all = bulk.elements.all.checked, head = table.querySelector("th.select input");
    bulk.classList.toggle("active", number > 0 || all);
    bulk.querySelector(".selected").textContent = all ? "" : `${number} selected`;
    if (head) {
      head.checked = number > 0 && number === boxes().length;
      head.indeterminate = number > 0 && !head.checked;
    }
  };
  const headBox = () => {
    const head = table.querySelector("th.select");
    if (!head) return;
    const box = Object.assign(document.createElement("input"), { type: "checkbox" });
    box.setAttribute("aria-label", "Select all on this page");
    box.addEventListener("change", () => { boxes().forEach((each) => { each.checked = box.checked; }); count(); });
    head.replaceChildren(box);
  };
  if (table && bulk) {
    bulk.classList.add("scripted");
    headBox();
    count();
    document.addEventListener("change", (event) => { if (event.target.form === bulk) count(); });
    bulk.addEventListener("submit", (event) => {
      if (chosen().length || bulk.elements.all.checked) return;
      event.preventDefault();
    });
  }

  // Cells of rows that are shown change in place. New rows are announced, and gone ones stay until one looks again.
  if (!table || !news) return;
  const PAUSE = 5000;
  let tag = "";
  const busy = () => document.hidden || table.contains(document.activeElement) || chosen().length || document.querySelector(".columns[open]");
  const announce = (number) => {
    const link = Object.assign(document.createElement("a"), { href: news.dataset.home, className: "button" });
    link.textContent = `${number} new: show`;
    if (news.textContent !== link.textContent) news.replaceChildren(link);
  };
  const merge = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html"), shown = ids(table), coming = ids(fresh);
    let added = 0;
    for (const [id, row] of coming) {
      const present = shown.get(id);
      if (!present) added += 1;
      else if (present.innerHTML !== row.innerHTML) {
        const cells = [...present.cells];
        [...row.cells].forEach((cell, place) => {
          if (cells[place] && !cell.matches(".select") && stripped(cells[place]) !== stripped(cell)) {
            cells[place].replaceWith(document.adoptNode(cell));
          }
        });
      }
    }
    if (added) announce(added);
    document.dispatchEvent(new CustomEvent("bvo:changed", { detail: table }));
  };
  // What this page's own script wrote into times is no change.
  const stripped = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("time").forEach((time) => time.replaceWith(time.dateTime));
    return copy.outerHTML;
  };
  const ask = async () => {
    if (busy()) return;
    const headers = { Accept: "text/html", "HX-Request": "true", ...(tag && { "If-None-Match": tag }) };
    const answer = await fetch(news.dataset.poll, { headers, cache: "no-store" });
    if (answer.status === 401) location.assign(answer.headers.get("HX-Redirect") || location.href);
    if (answer.status !== 200) return;
    const text = await answer.text();
    if (busy()) return;
    tag = answer.headers.get("ETag") || "";
    merge(text);
  };
  setInterval(() => ask().catch(() => {}), PAUSE);
})();
