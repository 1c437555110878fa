// Recordings: forms that change one leave whoever drives where they are, and keep control of the browser;
// and an element is picked in the live picture. Without script the forms work as all others do.
"use strict";

(() => {
  /** When it is looked again after a change, in milliseconds: what was recorded is kept a moment later. */
  const LOOKS_AFTER = [700, 2_000];
  /** How far an arrow key moves the cross, in CSS pixels of the screen; with Shift ten times as far. */
  const STEP = 2;

  // --- forms ------------------------------------------------------------------------------------

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-in-place]")) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });

  async function send(form, submitter) {
    if (form.dataset.busy !== undefined) return;
    form.dataset.busy = "";
    let problem = "The server cannot be reached. Try again.";
    try {
      const body = new URLSearchParams(new FormData(form, submitter));
      const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
      if (answer.status === 401) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      problem = answer.ok ? "" : page.querySelector(".notice p, main p")?.textContent ?? `The server answered ${answer.status}.`;
      if (answer.ok) {
        const details = form.closest("details");
        if (details) details.open = false;
        else form.reset();
        put(page);
        for (const after of LOOKS_AFTER) setTimeout(look, after);
      }
    } catch {
      // It is told below.
    } finally {
      delete form.dataset.busy;
    }
    tell(problem);
  }

  function tell(problem) {
    const place = document.getElementById("in-place");
    if (!place) return;
    place.textContent = problem;
    place.hidden = !problem;
    if (problem) place.scrollIntoView({ block: "nearest" });
  }

  // --- picking ----------------------------------------------------------------------------------

  /** There is something to pick in once there is a picture. */
  function offer() {
    const section = document.querySelector("section[data-live][data-viewport]");
    for (const button of document.querySelectorAll("[data-pick]")) button.hidden = !section;
  }
  new MutationObserver(offer).observe(document.body, { subtree: true, childList: true, attributeFilter: ["data-viewport"] });
  offer();

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pick]");
    const section = document.querySelector("section[data-live][data-viewport]");
    if (button && section) pick(section, button);
  });

  /** Lays a cross over the picture; where it is put down is the point of the form. */
  function pick(section, button) {
    section.querySelector(".pick")?.remove();
    const canvas = section.querySelector("canvas");
    const [width, height] = section.dataset.viewport.split(" ").map(Number);
    const cover = document.createElement("div");
    const says = document.createElement("output");
    cover.className = "pick";
    cover.tabIndex = 0;
    cover.setAttribute("role", "application");
    cover.setAttribute("aria-label", "Pick an element: arrow keys move the cross, Enter picks, Escape leaves");
    cover.append(says);
    canvas.parentElement.append(cover);
    const at = { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 };
    const point = () => ({ x: Math.round(at.x / canvas.clientWidth * width), y: Math.round(at.y / canvas.clientHeight * height) });
    const move = (x, y) => {
      at.x = Math.min(Math.max(x, 0), canvas.clientWidth - 1);
      at.y = Math.min(Math.max(y, 0), canvas.clientHeight - 1);
      const [from, around] = [canvas.getBoundingClientRect(), cover.getBoundingClientRect()];
      cover.style.setProperty("--x", `${from.left - around.left + at.x}px`);
      cover.style.setProperty("--y", `${from.top - around.top + at.y}px`);
      const { x: left, y: top } = point();
      says.textContent = `${left}, ${top}: click the element; Escape leaves`;
    };
    const seen = (event) => {
      const box = canvas.getBoundingClientRect();
      move(event.clientX - box.left, event.clientY - box.top);
    };
    const leave = () => { cover.remove(); button.focus({ preventScroll: true }); };
    const take = () => {
      const { form } = button;
      const { x, y } = point();
      form.elements[button.dataset.pick].value = `${x}, ${y}`;
      form.elements.selector.value = "";
      leave();
      form.requestSubmit();
    };
    cover.addEventListener("pointermove", seen);
    cover.addEventListener("click", (event) => { seen(event); take(); });
    cover.addEventListener("keydown", (event) => {
      const step = STEP * (event.shiftKey ? 10 : 1);
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (event.key === "Escape") leave();
      else if (event.key === "Enter") take();
      else if (moves[event.key]) move(at.x + moves[event.key][0], at.y + moves[event.key][1]);
      else return;
      event.preventDefault();
    });
    canvas.scrollIntoView({ block: "nearest" });
    move(at.x, at.y);
    cover.focus({ preventScroll: true });
  }
})();
