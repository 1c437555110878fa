// The player of films: shows in `div[data-film]` what the screen showed, part by part as they are wanted, while it is
// filmed and after. Whatever has `data-film-at` leads to a moment of it.
"use strict";

(() => {
  /** How often it is looked for more, while there is, in milliseconds. */
  const LOOK_EVERY = 2000;
  /** How many parts are kept. */
  const PARTS_MAX = 6;
  /** How far an arrow leads, in milliseconds. */
  const LEAP = 1000;

  class Film {
    constructor(root) {
      this.root = root;
      this.canvas = root.querySelector("canvas");
      this.range = root.querySelector("input[type=range]");
      this.index = { parts: [], steps: [], duration_ms: 0, ended: false };
      this.loaded = new Map();
      this.at = 0;
      this.drawing = Promise.resolve();
      this.listen();
      this.follow();
    }

    part(selector) { return this.root.querySelector(selector); }
    say(text) { this.part(".film-state").textContent = text; }
    get end() { return this.index.duration_ms; }
    /** Whether nothing more comes. A film of an attempt that was lost does not say so itself. */
    get isOver() { return this.index.ended || this.root.dataset.over !== undefined; }

    // --- what there is --------------------------------------------------------------------------

    async follow() {
      await this.look();
      if (!this.isOver) setTimeout(() => this.follow(), LOOK_EVERY);
    }

    async look() {
      try {
        const answer = await fetch(`${this.root.dataset.film}index.json`, { cache: "no-store", credentials: "same-origin" });
        if (!answer.ok) throw new Error(String(answer.status));
        this.learn(await answer.json());
      } catch {
        this.say("It cannot be read now.");
      }
    }

    learn(index) {
      const { parts, duration_ms } = this.index;
      this.index = index;
      this.range.max = String(this.end);
      if (parts.length === 0 && index.parts.length > 0) this.seek(Number(new URLSearchParams(location.hash.slice(1)).get("at")) || 0);
      // There may be a later picture now of the moment that it is at.
      else this.seek(this.at);
      // What is told of it below has grown as well.
      if (duration_ms > 0 && duration_ms !== index.duration_ms) look();
    }

    /** Leads to a moment, also to one that was told of before the film reached it. */
    async lead(at) {
      if (at > this.end && !this.isOver) await this.look();
      this.seek(at);
    }

    /** Where among the parts the one is that holds a moment. */
    place(at) {
      const { parts } = this.index;
      let found = 0;
      while (found + 1 < parts.length && parts[found + 1].from_ms <= at) found += 1;
      return found;
    }

    frames(part) {
      if (!this.loaded.has(part.name)) {
        const address = `${this.root.dataset.film}${part.name.replace(/^film\//, "")}`;
        const read = fetch(address, { credentials: "same-origin" }).then((answer) => {
          if (!answer.ok) throw new Error(String(answer.status));
          return answer.json();
        }).then((told) => told.frames);
        read.catch(() => this.loaded.delete(part.name));
        this.loaded.set(part.name, read);
        while (this.loaded.size > PARTS_MAX) this.loaded.delete(this.loaded.keys().next().value);
      }
      return this.loaded.get(part.name);
    }

    // --- what is shown --------------------------------------------------------------------------

    seek(at) {
      this.at = Math.min(Math.max(at, 0), this.end);
      this.range.value = String(this.at);
      this.tell();
      const wanted = this.at;
      // What was passed meanwhile is not drawn any more.
      this.drawing = this.drawing.then(() => (wanted === this.at ? this.draw() : null)).catch(() => this.say("A part of it cannot be read now."));
    }

    async draw() {
      const part = this.index.parts[this.place(this.at)];
      if (!part) return;
      const frames = await this.frames(part);
      const frame = frames.filter((frame) => frame.at_ms <= this.at).at(-1) ?? frames[0];
      if (!frame || frame === this.shown) return;
      const [kind, data] = frame.png ? ["png", frame.png] : ["jpeg", frame.jpeg];
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const picture = await createImageBitmap(new Blob([bytes], { type: `image/${kind}` }));
      const { canvas } = this;
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
      }
      canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      this.shown = frame;
    }

    tell() {
      const clock = (at) => `${Math.floor(at / 60000)}:${String(Math.floor(at / 1000) % 60).padStart(2, "0")}.${Math.floor(at / 100) % 10}`;
      this.part("output").textContent = `${clock(this.at)} of ${clock(this.end)}`;
      this.range.setAttribute("aria-valuetext", clock(this.at));
      const step = this.index.steps.filter((step) => step.at_ms <= this.at).at(-1);
      const words = [
        step ? `Step ${step.index + 1}: ${step.description}.` : "",
        this.isOver ? "" : "It is being filmed.",
        this.index.left_out ? "It was too long: the rest is left out." : "",
      ];
      const said = words.filter(Boolean).join(" ");
      if (said !== this.said) this.say(said);
      this.said = said;
      if (this.isOver) this.part('[data-film-do="newest"]')?.remove();
      this.mark();
    }

    /** Marks the moment that it is at, and brings it into sight if it is another than before. */
    mark() {
      const moments = [...document.querySelectorAll("[data-film-at]")];
      const now = moments.filter((moment) => Number(moment.dataset.filmAt) <= this.at).at(-1);
      if (now?.hasAttribute("aria-current")) return;
      for (const moment of moments) moment.removeAttribute("aria-current");
      now?.setAttribute("aria-current", "true");
      const isSame = now?.id === this.marked;
      this.marked = now?.id;
      const list = now?.closest("#moments");
      if (!list || isSame || list.contains(document.activeElement)) return;
      const [box, around] = [now.getBoundingClientRect(), list.getBoundingClientRect()];
      if (box.top < around.top || box.bottom > around.bottom) list.scrollTop += box.top - around.top - around.height / 2;
    }

    // --- how it goes on -------------------------------------------------------------------------

    play() {
      if (this.at >= this.end && this.isOver) this.seek(0);
      this.before = performance.now();
      this.playing = requestAnimationFrame((now) => this.go(now));
      this.name("Pause");
    }

    pause() {
      cancelAnimationFrame(this.playing);
      this.playing = null;
      this.name("Play");
    }

    /** Leads to what was filmed last, and goes on from there with what comes. */
    catchUp() {
      this.seek(this.end);
      if (!this.playing) this.play();
    }

    name(word) { this.part('[data-film-do="play"]').textContent = word; }
    toggle() { if (this.playing) this.pause(); else this.play(); }

    go(now) {
      const speed = Number(this.part("select").value);
      this.seek(this.at + Math.max(now - this.before, 0) * speed);
      this.before = now;
      const next = this.index.parts[this.place(this.at) + 1];
      if (next && next.from_ms - this.at < 2000 * speed) this.frames(next).catch(() => {});
      // While it is filmed, more is waited for at its end.
      const isKnown = this.index.parts.length > 0;
      if (isKnown && this.at >= this.end && this.isOver) { this.pause(); return; }
      this.playing = requestAnimationFrame((later) => this.go(later));
    }

    listen() {
      this.range.addEventListener("input", () => this.seek(Number(this.range.value)));
      this.canvas.addEventListener("click", () => this.toggle());
      this.root.addEventListener("keydown", (event) => {
        if (event.target.matches("button, select") || event.ctrlKey || event.altKey || event.metaKey) return;
        const leads = { ArrowLeft: this.at - LEAP, ArrowRight: this.at + LEAP, Home: 0, End: this.end };
        if (event.key === " ") this.toggle();
        else if (event.key in leads) this.seek(leads[event.key]);
        else return;
        event.preventDefault();
      });
    }
  }

  const root = document.querySelector("[data-film]");
  if (!root) return;
  const film = new Film(root);
  document.addEventListener("click", (event) => {
    const moment = event.target.closest("[data-film-at]");
    if (moment) film.lead(Number(moment.dataset.filmAt));
    else if (event.target.closest('[data-film-do="play"]')) film.toggle();
    else if (event.target.closest('[data-film-do="newest"]')) film.catchUp();
  });
  // The list is put anew while it grows.
  const list = document.getElementById("moments");
  if (list) new MutationObserver(() => film.mark()).observe(list, { childList: true });
})();
