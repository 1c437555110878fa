// Remembers what has come into sight where the pointer went, so that pointing is told where it mattered: when
// a person acts on something that was not to be seen before. What comes because of something else that was
// done, by itself, or while a page still loads, is not because of the pointer.

/** The most elements that are looked at; in larger pages only those that somebody acts on. */
const WATCHED_MAX = 4000;
/** How often it is looked what is to be seen, in milliseconds. */
const SIGHT_MILLIS = 200;
/**
 * How often it is looked, once the pointer went somewhere, for things that appear because of it: at once, and for
 * 600 milliseconds after. A page that is busy looks late, so that no time says when.
 */
const LOOKS_MAX = 4;
/** How long what appears is because of what was done otherwise, in milliseconds. */
const DEED_MILLIS = 700;
/** How deep menus open in each other. */
const MENUS_MAX = 6;

/** Where the pointer is: an element, how often it was looked since, and whether it was told. */
let pointing = null;
let deedAt = -Infinity;
/** What was to be seen at the last look. */
let inSight = null;
/** Where the pointer was when something came into sight. */
const revealedBy = new WeakMap();

on('mouseover', (_, element) => {
  const at = meant(element);
  if (pointing?.at === at) return;
  const now = pointing = { at, looks: 0, told: false };
  // Where it has gone on from meanwhile, nothing is looked at.
  setTimeout(() => { if (pointing === now) lookAround(); });
});
for (const type of ['mousedown', 'mouseup', 'keydown', 'input']) on(type, () => { deedAt = performance.now(); });
addEventListener('load', () => { deedAt = performance.now(); }, { once: true });
// What comes by itself is seen before the pointer goes on, and is then not because of it.
setInterval(lookAround, SIGHT_MILLIS);

/** Sees what is to be seen now, and remembers where the pointer is for what was not before. */
function lookAround() {
  if (document.hidden) return;
  const at = performance.now();
  const now = new Set(watched().filter(isShown));
  const isByPointer = pointing && inSight && document.readyState === 'complete'
    && pointing.looks < LOOKS_MAX && at - deedAt > DEED_MILLIS;
  if (pointing) pointing.looks += 1;
  for (const element of now) if (isByPointer && !inSight.has(element)) revealedBy.set(element, pointing);
  for (const element of inSight ?? []) if (!now.has(element)) revealedBy.delete(element);
  inSight = now;
}

function watched() {
  const every = [];
  const collect = root => {
    for (const element of root.querySelectorAll('*')) {
      if (every.push(element) > WATCHED_MAX) return;
      if (element.shadowRoot) collect(element.shadowRoot);
    }
  };
  collect(document);
  return every.length > WATCHED_MAX ? [...document.querySelectorAll(ACTING)].slice(0, WATCHED_MAX) : every;
}

function isShown(element) {
  const names = { checkOpacity: true, checkVisibilityCSS: true, opacityProperty: true, visibilityProperty: true };
  return element.checkVisibility?.(names) ?? isVisible(element);
}

/** The steps that bring an element into sight, each once for as long as the pointer stays. */
function reveals(element, depth = 0) {
  const by = revealedBy.get(element);
  // What is pointed at anyway needs no pointing before.
  if (!by || by.told || depth > MENUS_MAX || element.contains(by.at) || !by.at.isConnected) return [];
  by.told = true;
  const selectors = alternativesOf(by.at);
  const own = selectors.length > 0 ? [{ type: 'hover', selectors }] : [];
  return [...reveals(by.at, depth + 1), ...own];
}

/** Tells of them, before what is done to it. */
function tellReveals(element) {
  for (const step of reveals(element)) say({ is: 'did', element: `${idOf(element)}/hover`, steps: [step] });
}
