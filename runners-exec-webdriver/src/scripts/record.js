// Tells what a person does in a page, as steps of a flow. It runs in every frame before the page's own
// scripts, in a world of its own: the page neither sees it nor can speak for it. `done` takes a text, as often
// as there is something to tell.
// Only what a person did is told: events that a script made are not trusted. What is typed where a
// secret belongs never leaves the page.

/** How long it scrolls, or changes its size, before that is told, in milliseconds. */
const REST_MILLIS = 300;
/** How often the address is looked at, in milliseconds. */
const LOOK_MILLIS = 200;
/** How long after a person did something a page scrolls because of it, in milliseconds. */
const BY_HAND_MILLIS = 1000;
/** How far a pointer is drawn before it drags, in CSS pixels. */
const DRAG_MIN = 8;
/** The most different things of a document that are told to be in no step. */
const LEFT_OUT_MAX = 20;
/** The most bytes of files that travel in a step. */
const FILES_BYTES_MAX = 256 * 1024;
/** The most characters of a text that is asserted. */
const TEXT_MAX = 200;
const BUTTONS = ['primary', 'auxiliary', 'secondary', 'back', 'forward'];
const ACTING = 'button, a[href], area[href], summary, label, input, select, textarea, option, [role=button], [role=link], [role=tab], '
  + '[role=menuitem], [role=menuitemcheckbox], [role=menuitemradio], [role=option], [role=checkbox], [role=radio], [role=switch], [role=treeitem]';
const TYPED = ['text', 'url', 'tel', 'search', 'password', 'number', 'email'];
const SET = ['range', 'color', 'date', 'time', 'datetime-local', 'month', 'week'];
const SECRETS = ['current-password', 'new-password', 'one-time-code', 'cc-number', 'cc-csc'];
const MODIFIERS = ['Control', 'Alt', 'Shift', 'Meta'];
const ARROWS = ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'];
const PLACES = [...ARROWS, 'Home', 'End', 'PageUp', 'PageDown'];
/** What the browser takes for itself. */
const OF_BROWSER = ['F5', 'F11', 'F12', 'PrintScreen', 'CapsLock', 'NumLock', 'ScrollLock', 'AltGraph', 'Dead', 'Process', 'Unidentified'];

const isTop = window.parent === window;
const drawn = Math.random().toString(36).slice(2);
const ids = new WeakMap();
let counted = 0;

function say(what) {
  const frame = framePath();
  if (frame) done(JSON.stringify({ ...what, document: drawn, frame, url: location.href }));
}

/** Where this frame is: the places of the frames around it, as the browser counts them. */
function framePath() {
  const path = [];
  for (let here = window; here.parent !== here; here = here.parent) {
    const at = placeIn(here.parent, here);
    if (at < 0) return null;
    path.unshift(at);
  }
  return path;
}

function placeIn(parent, child) {
  try {
    // The browser leaves out those in shadow roots; then they count as they stand in the page.
    const frames = framesOf(parent.document);
    if (frames.length !== parent.length) return frames.findIndex(({ contentWindow }) => contentWindow === child);
  } catch {
    // Of another origin: it counts as the browser does.
  }
  for (let at = 0; at < parent.length; at += 1) if (parent[at] === child) return at;
  return -1;
}

function framesOf(root) {
  return [...root.querySelectorAll('*')].flatMap(element => {
    if (['iframe', 'frame'].includes(element.localName)) return [element];
    return element.shadowRoot ? framesOf(element.shadowRoot) : [];
  });
}

/** What tells an element from others, for as long as it lives. */
function idOf(element) {
  if (!ids.has(element)) ids.set(element, `${drawn}/${counted += 1}`);
  return ids.get(element);
}

function on(type, heed) {
  addEventListener(type, event => {
    if (!event.isTrusted) return;
    const target = event.composedPath()[0];
    try {
      heed(event, target instanceof Element ? target : document.documentElement);
    } catch {
      // A page that breaks this loses a step, and nothing of its own.
    }
  }, { capture: true, passive: true });
}

function did(element, step, more = {}) {
  settle();
  tellReveals(element);
  say({ is: 'did', element: idOf(element), steps: [step], ...more });
}

// --- where things are -----------------------------------------------------------------------------

const kindOf = element => (element instanceof HTMLInputElement ? element.type : element.localName);
const isCheck = element => ['checkbox', 'radio'].includes(kindOf(element)) && element instanceof HTMLInputElement;
const isMenu = element => element instanceof HTMLSelectElement && !element.multiple && element.size <= 1;
const isTyped = element => element instanceof HTMLTextAreaElement || element.isContentEditable === true
  || (element instanceof HTMLInputElement && TYPED.includes(element.type));
const isSet = element => element instanceof HTMLInputElement && SET.includes(element.type);
const isManyLines = element => element instanceof HTMLTextAreaElement || element.isContentEditable === true;

/** Whether what stands there is not to be told, once and for all: a field may stop to hide what it has. */
const hidden = new WeakSet();
function isSecret(element) {
  const tokens = (element.getAttribute('autocomplete') ?? '').toLowerCase().split(/\s+/);
  if (element.type === 'password' || tokens.some(token => SECRETS.includes(token))) hidden.add(element);
  return hidden.has(element);
}

function secretName(element) {
  const named = element.name || element.id || element.getAttribute('autocomplete') || 'password';
  return named.replace(/[^A-Za-z0-9_]+/g, '_').slice(0, 60) || 'password';
}

/** The element that a person means who points at one within it. */
function meant(element) {
  for (let node = element; node; node = node.parentElement ?? node.getRootNode().host) {
    if (node.matches(ACTING)) return node;
    if (node.isContentEditable && !node.parentElement?.isContentEditable) return node;
  }
  return element;
}

/** The point of an element, as a replay counts: from the corner of its first box that is to be seen. */
function offset(element, x, y) {
  for (const { left, top, right, bottom } of element.getClientRects()) {
    const [fromX, fromY] = [Math.max(left, 0), Math.max(top, 0)];
    const width = Math.min(right, innerWidth) - fromX, height = Math.min(bottom, innerHeight) - fromY;
    if (width < 1 || height < 1) continue;
    const within = (at, size) => (at > 0 && at < size ? Math.round(at * 100) / 100 : Math.round(size * 50) / 100);
    return { offsetX: within(x - fromX, width), offsetY: within(y - fromY, height) };
  }
  return { offsetX: 1, offsetY: 1 };
}

// --- clicks ---------------------------------------------------------------------------------------

let pressed = null;
/** What a click on its label clicks by itself. */
let forwarded = null;
let keyed = -Infinity;

// The page may take away what was pressed, so it is named before.
on('mousedown', (event, element) => {
  const at = meant(element);
  pressed = { element, at, x: event.clientX, y: event.clientY, step: { selectors: alternativesOf(at), ...offset(at, event.clientX, event.clientY) } };
});

on('click', clicked);
on('auxclick', clicked);

function clicked(event, element) {
  if (forwarded && forwarded.control === element && event.timeStamp - forwarded.at < 50) return;
  if (event.detail === 0 && event.timeStamp - keyed < BY_HAND_MILLIS) return;
  const isPressed = event.detail > 0 && pressed && (pressed.element === element || !pressed.element.isConnected || element.contains(pressed.element));
  const at = isPressed ? pressed.at : meant(element);
  // Pressed here and let go there is no click of either.
  const isDragged = isPressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > DRAG_MIN;
  if (isDragged && (pressed.isDrawn || (pressed.element.isConnected && pressed.element !== element))) return;
  if (['iframe', 'frame'].includes(at.localName)) return;
  const label = at.closest('label');
  if (label?.control && label.control !== at && !at.matches('button, a[href], input, select, textarea')) {
    if (kindOf(label.control) === 'file') return;
    forwarded = { control: label.control, at: event.timeStamp };
  }
  // What these do is told when their value has changed.
  if (isCheck(at) || isMenu(at) || isSet(at) || kindOf(at) === 'file' || at instanceof HTMLOptionElement) return;
  const where = isPressed ? pressed.step : { selectors: alternativesOf(at), ...offset(at, event.clientX, event.clientY) };
  const button = event.button ? { button: BUTTONS[event.button] } : {};
  did(at, { type: 'click', ...where, ...button }, { causes: true });
}

on('dblclick', (event, element) => {
  const at = meant(element);
  if (isCheck(at) || isMenu(at) || isSet(at)) return;
  const where = pressed?.at === at ? pressed.step : { selectors: alternativesOf(at), ...offset(at, event.clientX, event.clientY) };
  did(at, { type: 'doubleClick', ...where }, { causes: true, instead: 2 });
});

// --- drags ----------------------------------------------------------------------------------------

on('mouseup', (event, element) => {
  if (event.button === 0 && pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > DRAG_MIN) drewTo(event, element);
});
on('drop', (event, element) => { if (pressed) drewTo(event, element); });

/** What was pressed was drawn elsewhere: onto something, or in a way that no step says. */
function drewTo({ clientX: x, clientY: y }, element) {
  const { at, step } = pressed;
  // A text is selected by drawing, and bars and edges of the browser's own are drawn.
  if (!getSelection().isCollapsed || isTyped(at) || isSet(at) || at instanceof HTMLSelectElement || at instanceof HTMLOptionElement) return;
  if (at === document.documentElement || at === document.body || pressed.isDrawn) return;
  pressed.isDrawn = true;
  const under = element.getRootNode().elementsFromPoint(x, y).find(one => !at.contains(one));
  const isTarget = under && !under.contains(at) && under !== document.documentElement;
  const to = isTarget ? alternativesOf(meant(under)) : [];
  if (to.length === 0) return leftOut(`${tag(at)} was drawn, which no step says: what came of it is not in the flow`);
  did(at, { type: 'customStep', name: 'runners.drag', parameters: { selectors: step.selectors, to: { selectors: to } } }, { causes: true });
}

/** Tells once what is in no step. */
const leftOuts = new Set();
function leftOut(text) {
  if (leftOuts.has(text) || leftOuts.size >= LEFT_OUT_MAX) return;
  leftOuts.add(text);
  say({ is: 'noted', text });
}

// --- values ---------------------------------------------------------------------------------------

let typing = null;
on('focusout', () => { typing = null; });

on('input', (_, element) => {
  // Of a shadow root that is closed, only its host is seen.
  const isField = ['input', 'select', 'textarea'].includes(element.localName) || element.isContentEditable === true;
  if (!isField) return leftOut(`what was put into ${tag(element)} is not in the flow: its shadow root is closed`);
  if (!isTyped(element) && !isSet(element)) return;
  let at = element;
  while (at.isContentEditable && at.parentElement?.isContentEditable) at = at.parentElement;
  // They are those of the first character: looking for them again is slow in large pages.
  if (typing?.at !== at) typing = { at, selectors: alternativesOf(at) };
  const { selectors } = typing;
  if (isSecret(at)) {
    did(at, { type: 'change', selectors }, { merges: true, secret: secretName(at) });
  } else {
    did(at, { type: 'change', selectors, value: at.isContentEditable ? at.innerText : at.value }, { merges: true });
  }
});

on('change', (event, element) => {
  if (kindOf(element) === 'file') return given(element);
  const isLabelled = forwarded?.control === element && event.timeStamp - forwarded.at < BY_HAND_MILLIS;
  if (isCheck(element) && !isLabelled) {
    did(element, { type: 'change', selectors: alternativesOf(element), value: element.checked ? 'true' : '' }, { causes: true });
  } else if (element instanceof HTMLSelectElement && element.multiple) {
    const parameters = { selectors: alternativesOf(element), values: Array.from(element.selectedOptions, ({ value }) => value) };
    did(element, { type: 'customStep', name: 'runners.select', parameters }, { causes: true, merges: true });
  } else if (element instanceof HTMLSelectElement) {
    did(element, { type: 'change', selectors: alternativesOf(element), value: element.value }, { causes: true, merges: true });
  }
});

/** Whether the focus is within a shadow root that is closed: its host has it, and could not have it by itself. */
function isClosedHost(element) {
  if (element.shadowRoot || element === document.body || element === document.documentElement) return false;
  return element.localName.includes('-') || (element.tabIndex < 0 && !element.hasAttribute('tabindex'));
}

/** Files travel with the flow, as far as they are small; the others go by their names. */
function given(element) {
  const files = [...element.files];
  const fits = files.reduce((sum, file) => sum + file.size, 0) <= FILES_BYTES_MAX;
  const step = contents => ({
    type: 'customStep', name: 'runners.upload',
    parameters: {
      selectors: alternativesOf(element),
      files: files.map((file, at) => ({ name: file.name, mediaType: file.type, base64: contents[at] ?? '' })),
    },
  });
  did(element, step([]), { merges: true, causes: true });
  if (!fits) return say({ is: 'noted', text: `the files for ${files.map(({ name }) => name).join(', ')} are larger than ${FILES_BYTES_MAX} bytes: the step has their names alone` });
  const read = file => new Promise(resolve => {
    const reader = new FileReader();
    reader.onloadend = () => resolve(String(reader.result ?? '').split(',')[1] ?? '');
    reader.readAsDataURL(file);
  });
  Promise.all(files.map(read)).then(contents => say({ is: 'amended', element: idOf(element), step: step(contents) }));
}

// --- keys -----------------------------------------------------------------------------------------

on('keydown', (event, element) => {
  keyed = [' ', 'Enter'].includes(event.key) ? event.timeStamp : keyed;
  if (event.isComposing || event.repeat || MODIFIERS.includes(event.key) || OF_BROWSER.includes(event.key)) return;
  const held = MODIFIERS.filter(name => event.getModifierState(name)).filter(name => name !== 'Shift' || event.key.length > 1);
  const isShortcut = held.some(name => name !== 'Shift') && !event.getModifierState('AltGraph');
  if (!(isShortcut ? isMeantShortcut(event.key, element) : isMeantKey(event.key, element))) return;
  // What is typed there may be a secret, and its field is not seen.
  if (event.key.length === 1 && !isShortcut && isClosedHost(element)) return;
  const key = event.key === ' ' ? 'Space' : event.key;
  const steps = [
    ...held.map(name => ({ type: 'keyDown', key: name })),
    { type: 'keyDown', key }, { type: 'keyUp', key },
    ...held.reverse().map(name => ({ type: 'keyUp', key: name })),
  ];
  settle();
  tellReveals(element);
  say({ is: 'did', element: idOf(element), steps, causes: true, cause: held.length });
});

function isMeantShortcut(key, element) {
  const isEditing = ['a', 'c', 'v', 'x', 'z', 'y', 'Backspace', 'Delete', ...PLACES].includes(key.length === 1 ? key.toLowerCase() : key);
  const isOfBrowser = ['r', 'l', 't', 'w', 'n', 'q', 'Tab'].includes(key.length === 1 ? key.toLowerCase() : key) || key.startsWith('Arrow');
  return !isOfBrowser && !(isTyped(element) && isEditing);
}

function isMeantKey(key, element) {
  if (['Tab', 'Escape'].includes(key)) return true;
  const hasOwnKeys = isMenu(element) || element instanceof HTMLSelectElement || isSet(element) || kindOf(element) === 'number';
  if (key === 'Enter') return !isManyLines(element) && !hasOwnKeys;
  if (PLACES.includes(key)) {
    if (hasOwnKeys || kindOf(element) === 'radio') return false;
    return isTyped(element) ? !isManyLines(element) && ['ArrowUp', 'ArrowDown'].includes(key) : true;
  }
  // What is typed is told by the value that comes of it.
  return !isTyped(element) && !hasOwnKeys && !(isCheck(element) && key === ' ');
}

// --- scrolling and size -----------------------------------------------------------------------------

let byHand = -Infinity;
let scrolling = null;
for (const type of ['wheel', 'touchmove', 'pointerdown']) on(type, event => { byHand = event.timeStamp; });

on('scroll', (event) => {
  const target = event.composedPath()[0];
  if (event.timeStamp - byHand > BY_HAND_MILLIS && !scrolling) return;
  if (scrolling && scrolling.target !== target) settle();
  clearTimeout(scrolling?.timer);
  scrolling = { target, timer: setTimeout(settle, REST_MILLIS) };
});

/** Tells of what was scrolled, before anything else is told. */
function settle() {
  if (!scrolling) return;
  const { target, timer } = scrolling;
  scrolling = null;
  clearTimeout(timer);
  const isPage = !(target instanceof Element) || target === document.scrollingElement;
  const [x, y] = isPage ? [scrollX, scrollY] : [target.scrollLeft, target.scrollTop];
  const step = { type: 'scroll', x: Math.round(x), y: Math.round(y), ...(isPage ? {} : { selectors: alternativesOf(target) }) };
  say({ is: 'did', element: idOf(isPage ? document.documentElement : target), steps: [step], merges: true });
}

const size = () => ({ width: innerWidth, height: innerHeight, scale: devicePixelRatio });
let resizing = null;
on('resize', () => {
  if (!isTop) return;
  clearTimeout(resizing);
  resizing = setTimeout(() => say({ is: 'sized', ...size() }), REST_MILLIS);
});

// --- where the page is ------------------------------------------------------------------------------

let address = location.href;
setInterval(() => {
  if (location.href === address) return;
  address = location.href;
  if (isTop) say({ is: 'moved' });
}, LOOK_MILLIS);

const how = performance.getEntriesByType('navigation')[0]?.type ?? 'navigate';
say({ is: 'arrived', how, ...size() });
addEventListener('load', () => { if (isTop) say({ is: 'titled', title: document.title, ...size() }); }, { once: true });

// --- for those who ask ------------------------------------------------------------------------------

globalThis.runnersRecord = {
  document,
  /** The element at a point of this frame, or the frame that is there with the point in it. */
  at(x, y) {
    let element = document.elementFromPoint(x, y);
    while (element?.shadowRoot?.elementFromPoint(x, y) && element.shadowRoot.elementFromPoint(x, y) !== element) {
      element = element.shadowRoot.elementFromPoint(x, y);
    }
    if (!element) return JSON.stringify({ missing: `nothing is at ${x}, ${y}` });
    if (!['iframe', 'frame'].includes(element.localName)) return JSON.stringify(described(element));
    const frames = framesOf(document);
    const frame = frames.length === window.length
      ? Array.from(frames, (_, at) => at).find(at => window[at] === element.contentWindow)
      : frames.indexOf(element);
    const { left, top } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return JSON.stringify({
      frame,
      x: x - left - element.clientLeft - parseFloat(style.paddingLeft),
      y: y - top - element.clientTop - parseFloat(style.paddingTop),
    });
  },
  /** What a selector finds. */
  find(kind, text, selector) {
    try {
      const all = [...FINDERS[kind](document, text, selector)];
      return JSON.stringify(all.length === 0 ? { missing: 'nothing matches it' } : described(all[0]));
    } catch {
      return JSON.stringify({ missing: 'it is no valid selector' });
    }
  },
};

function described(element) {
  const text = isField(element) || isSecret(element) ? '' : (element.innerText ?? '').trim().replace(/\s+/g, ' ');
  return { selectors: alternativesOf(element), text: text.slice(0, TEXT_MAX), visible: isVisible(element), before: reveals(element) };
}
