// Comfort for pages with forms: each of them works without this file.
"use strict";

// What is wrong is read out and in view, before the first field that is wrong.
document.querySelector("[aria-invalid]")?.focus();

// A form that was left with something in it asks before it is lost; one that was sent is not sent twice.
for (const form of document.querySelectorAll("form.form[method=post]")) {
  let touched = Boolean(document.getElementById("problems"));
  form.addEventListener("input", () => { touched = true; });
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "true";
    touched = false;
  });
  addEventListener("beforeunload", (event) => { if (touched) event.preventDefault(); });
  addEventListener("pageshow", () => { delete form.dataset.sent; });
}

// The headings of a matrix check a whole row or column, or none of it.
for (const heading of document.querySelectorAll("[data-all]")) {
  const table = heading.closest("table");
  const row = heading.closest("tr");
  const boxes = () => heading.dataset.all === "row"
    ? [...row.querySelectorAll("input")]
    : [...table.tBodies[0].rows].map((line) => line.cells[heading.cellIndex]?.querySelector("input")).filter(Boolean);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = heading.textContent;
  button.title = heading.dataset.all === "row" ? "Check the whole row" : "Check the whole column";
  button.addEventListener("click", () => {
    const found = boxes();
    const wanted = !found.every((box) => box.checked);
    for (const box of found) box.checked = wanted;
    heading.closest("form").dispatchEvent(new Event("input"));
  });
  heading.replaceChildren(button);
}

// A file can be dropped on its field, and one sees how far its upload is.
for (const input of document.querySelectorAll("input[type=file]")) {
  for (const name of ["dragenter", "dragover"]) input.addEventListener(name, () => input.classList.add("over"));
  for (const name of ["dragleave", "drop"]) input.addEventListener(name, () => input.classList.remove("over"));
  input.form.addEventListener("submit", (event) => { event.preventDefault(); upload(input.form); });
}

const upload = (form) => {
  const shown = document.createElement("div");
  shown.className = "uploading";
  shown.innerHTML = '<p role="status">Uploading …</p><progress max="1" aria-label="Upload"></progress>';
  const [words, bar] = shown.children;
  form.querySelector(".uploading")?.remove();
  form.lastElementChild.before(shown);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.setRequestHeader("HX-Request", "true");
  request.upload.addEventListener("progress", (event) => {
    bar.value = event.loaded / event.total;
    words.textContent = event.loaded < event.total ? `Uploading … ${Math.round(100 * bar.value)} %` : "Checking …";
  });
  request.addEventListener("error", () => {
    shown.remove();
    delete form.dataset.sent;
    form.insertAdjacentHTML("beforebegin", '<p class="notice bad" role="alert">The upload broke off. Send it again.</p>');
  });
  request.addEventListener("load", () => {
    const target = request.getResponseHeader("HX-Redirect");
    if (target) return location.assign(target);
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const problems = page.getElementById("problems") ?? page.querySelector("main > *");
    shown.remove();
    delete form.dataset.sent;
    document.getElementById("problems")?.remove();
    form.before(problems);
    problems.focus();
    const key = page.querySelector("[name=idempotency_key]");
    if (key) form.elements.idempotency_key.value = key.value;
  });
  request.send(new FormData(form));
};
