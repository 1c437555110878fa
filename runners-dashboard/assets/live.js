// Live views: shows what an attempt does in every `section[data-live]`, and takes what a person does
// back to it. It begins when somebody asks for it, or at once where the section has `data-live-auto`.
"use strict";

(() => {
  /** How long nothing may be heard until the connection counts as cut, in milliseconds. */
  const SILENCE_MAX = 45_000;
  /** The wait before the first reconnect; it doubles with each. */
  const RETRY_AFTER = 500;
  const RETRY_AFTER_MAX = 10_000;
  /** The longest text that is put in at once, in characters. */
  const TEXT_MAX = 4000;
  /** What ends a view, and yet is worth another try. */
  const AGAIN = new Set(["stopping", "expired", "unavailable"]);
  const WORDS = { connecting: "Connecting to the runner…", live: "Live.", reconnecting: "The runner was cut off, and comes again…" };

  const views = new WeakMap();

  class View {
    constructor(section) {
      this.section = section;
      this.canvas = section.querySelector("canvas");
      this.viewport = [1, 1];
      this.inputs = 0;
      this.failures = 0;
      this.drawing = Promise.resolve();
      this.state = null;
      this.pressed = new Map();
      this.listen();
    }

    part(selector) { return this.section.querySelector(selector); }
    button(name) { return this.part(`[data-live-do="${name}"]`); }
    say(text) { this.part(".live-state").textContent = text; }

    open() {
      this.section.dataset.open = "";
      this.wanted = true;
      this.connect();
    }

    close() {
      this.wanted = false;
      clearTimeout(this.retry);
      clearTimeout(this.silence);
      this.socket?.close();
      this.socket = null;
      this.show({ phase: "over", detail: "Closed. Nobody looks from here.", control: "nobody", may_control: false });
    }

    connect() {
      if (!this.wanted) return;
      clearTimeout(this.retry);
      this.say(WORDS.connecting);
      const address = new URL(this.section.dataset.live, location.href);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(address);
      socket.binaryType = "arraybuffer";
      this.socket = socket;
      this.hear();
      socket.onopen = () => {
        this.wish();
        if (document.hidden) this.send({ type: "pause" });
      };
      socket.onmessage = (event) => {
        if (this.socket !== socket) return;
        this.hear();
        if (typeof event.data === "string") this.told(JSON.parse(event.data));
        else this.drawing = this.drawing.then(() => this.draw(event.data, socket)).catch(() => socket.close());
      };
      socket.onclose = () => { if (this.socket === socket) this.cut(); };
    }

    /** Says how many pictures are wanted, and how wide. */
    wish() {
      const chosen = [...this.section.querySelectorAll("[data-live-wish]")].map((choice) => [choice.dataset.liveWish, Number(choice.value)]);
      this.send({ type: "wish", ...Object.fromEntries(chosen) });
    }

    /** Something was heard: the connection is in use. */
    hear() {
      clearTimeout(this.silence);
      const socket = this.socket;
      this.silence = setTimeout(() => { if (this.socket === socket) { socket.close(); this.cut(); } }, SILENCE_MAX);
    }

    cut() {
      this.socket = null;
      clearTimeout(this.silence);
      this.pressed.clear();
      if (!this.wanted) return;
      this.controls(null);
      const wait = Math.min(RETRY_AFTER * 2 ** this.failures, RETRY_AFTER_MAX);
      this.failures += 1;
      if (this.failures > 1) this.say("The connection is cut. Trying again…");
      this.retry = setTimeout(() => this.connect(), wait);
    }

    told(message) {
      if (message.type === "state") this.show(message);
      else if (message.type === "refused") this.end(message.code, message.detail);
      else if (message.type === "done" && message.problem) this.say(`Not done: ${message.problem}.`);
    }

    show(state) {
      this.state = state;
      if (state.phase === "over") { this.end(state.reason, state.detail); return; }
      const others = state.viewers > 1 ? ` ${state.viewers} look.` : "";
      const trouble = state.detail && state.phase === "live" ? ` ${state.detail}.` : "";
      const control = state.control === "you" ? " You have control: Shift+Escape gives it back."
        : state.control === "another" ? " Somebody else has control." : "";
      this.say((WORDS[state.phase] ?? state.phase) + trouble + others + control);
      this.controls(state);
      this.button("look").textContent = "Look away";
    }

    /** The view is over, and why. */
    end(reason, detail) {
      const again = this.wanted && AGAIN.has(reason);
      const socket = this.socket;
      this.socket = null;
      clearTimeout(this.silence);
      socket?.close();
      this.controls(null);
      if (again) { this.cut(); return; }
      this.wanted = false;
      this.section.classList.remove("is-live");
      this.button("look").textContent = "Look";
      const text = detail || reason || "";
      this.say(text && text[0].toUpperCase() + text.slice(1) + (/[.…]$/.test(text) ? "" : "."));
    }

    controls(state) {
      const has = state?.control === "you";
      const button = this.button("control");
      button.hidden = !state?.may_control;
      button.textContent = has ? "Give control back" : "Take control";
      button.setAttribute("aria-pressed", String(has));
      this.part(".live-tools").hidden = !has;
      this.section.classList.toggle("is-controlled", has);
      this.section.classList.toggle("is-live", Boolean(state));
      const wishes = this.part(".live-wish");
      if (wishes) wishes.hidden = !state;
    }

    async draw(buffer, socket) {
      const length = new DataView(buffer).getUint32(0);
      const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
      const picture = await createImageBitmap(new Blob([new Uint8Array(buffer, 4 + length)], { type: `image/${head.format}` }));
      const { canvas } = this;
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
      }
      canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      this.viewport = head.viewport;
      this.section.dataset.viewport = head.viewport.join(" ");
      this.failures = 0;
      this.part(".live-frame").hidden = false;
      this.button("screen").hidden = !document.fullscreenEnabled;
      this.section.dataset.picture = head.number;
      if (this.socket === socket) this.send({ type: "shown", number: head.number });
    }

    send(message) {
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    }

    input(input) {
      if (this.state?.control !== "you") return;
      this.inputs += 1;
      this.send({ type: "input", number: this.inputs, input });
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const along = (at, from, span, whole) => Math.min(Math.max((at - from) / span, 0), 1) * whole;
      return {
        x: along(event.clientX, box.left, box.width, this.viewport[0]),
        y: along(event.clientY, box.top, box.height, this.viewport[1]),
      };
    }

    // --- what a person does ---------------------------------------------------------------------

    listen() {
      const { canvas } = this;
      const acts = () => this.state?.control === "you" && this.socket;
      const on = (name, act) => canvas.addEventListener(name, (event) => {
        if (!acts()) return;
        event.preventDefault();
        act(event);
      }, { passive: false });
      let moved = null;
      on("pointermove", (event) => {
        // At most one a frame: what lies between is not looked at anyway.
        if (!moved) requestAnimationFrame(() => { this.input({ type: "pointer_move", ...moved }); moved = null; });
        moved = this.point(event);
      });
      on("pointerdown", (event) => {
        canvas.focus({ preventScroll: true });
        canvas.setPointerCapture(event.pointerId);
        this.clicks = this.count(event);
        this.input({ type: "pointer_down", ...this.point(event), button: event.button, clicks: this.clicks });
      });
      on("pointerup", (event) => {
        this.input({ type: "pointer_up", ...this.point(event), button: event.button, clicks: this.clicks ?? 1 });
      });
      on("contextmenu", () => {});
      on("wheel", (event) => {
        const step = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? canvas.clientHeight : 1;
        this.input({ type: "wheel", ...this.point(event), delta_x: event.deltaX * step, delta_y: event.deltaY * step });
      });
      on("keydown", (event) => {
        if (event.key === "Escape" && event.shiftKey) { this.send({ type: "release_control" }); return; }
        if (event.isComposing || event.key === "Dead" || event.key === "Process") return;
        this.pressed.set(event.code, event.key);
        this.input({ type: "key_down", key: event.key });
      });
      on("keyup", (event) => {
        // The key that was pressed is let go, whatever it would be by now.
        const key = this.pressed.get(event.code);
        this.pressed.delete(event.code);
        if (key !== undefined) this.input({ type: "key_up", key });
      });
      on("blur", () => {
        for (const key of this.pressed.values()) this.input({ type: "key_up", key });
        this.pressed.clear();
      });
      on("paste", (event) => this.text(event.clipboardData?.getData("text/plain") ?? ""));
    }

    /** Which press in a row this is. */
    count(event) {
      const last = this.last;
      const near = last && event.timeStamp - last.at < 500 && event.button === last.button
        && Math.hypot(event.clientX - last.x, event.clientY - last.y) < 5;
      const clicks = near ? Math.min(last.clicks + 1, 3) : 1;
      this.last = { at: event.timeStamp, x: event.clientX, y: event.clientY, button: event.button, clicks };
      return clicks;
    }

    text(text) {
      for (let at = 0; at < text.length; at += TEXT_MAX) this.input({ type: "text", text: text.slice(at, at + TEXT_MAX) });
    }

    act(name) {
      if (name === "look") { if (this.wanted) this.close(); else { this.failures = 0; this.open(); } }
      else if (name === "control") this.send({ type: this.state?.control === "you" ? "release_control" : "take_control" });
      else if (name === "screen") this.part(".live-frame").requestFullscreen();
      else this.input({ type: name });
    }
  }

  function of(element) {
    const section = element.closest("section[data-live]");
    if (!section) return null;
    if (!views.has(section)) views.set(section, new View(section));
    return views.get(section);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-live-do]");
    if (button) of(button)?.act(button.dataset.liveDo);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches?.("[data-live-text]")) return;
    event.preventDefault();
    of(event.target)?.text(event.target.value);
    event.target.value = "";
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-live-wish]")) of(event.target)?.wish();
  });

  document.addEventListener("visibilitychange", () => {
    for (const section of document.querySelectorAll("section[data-live]")) {
      views.get(section)?.send({ type: document.hidden ? "pause" : "resume" });
    }
  });

  /** Opens what is to be open at once, also where it is put into the page later: once a recording has begun. */
  function openAll() {
    for (const section of document.querySelectorAll("section[data-live][data-live-auto]")) {
      if (!views.has(section)) of(section).open();
    }
  }
  new MutationObserver(openAll).observe(document.querySelector("main"), { subtree: true, childList: true });
  openAll();
})();
