// Finds elements by the selectors of a flow, and keeps what must outlive one call. This text goes
// before each of the other scripts; `arguments` are theirs.

const done = arguments[arguments.length - 1];
const request = arguments[0];

/** What is kept in the page between calls, where no page looks. */
const state = (() => {
  const key = Symbol.for('runners.replay');
  if (!window[key]) {
    const kept = { navigations: 0, found: {}, asked: null, token: null };
    Object.defineProperty(window, key, { value: kept });
    window.navigation?.addEventListener('currententrychange', event => {
      if (event.navigationType) kept.navigations += 1;
    });
  }
  return window[key];
})();

/** Which document this is, and how often it was navigated within. */
const mark = () => ({ document: performance.timeOrigin, navigations: state.navigations, url: location.href });

/** How long a frame may take: on a busy machine long, in the background it never comes. */
const frameMillis = document.hidden ? 100 : 1000;

/** Waits for the next frame. */
const frame = () => new Promise(resolve => {
  const timer = setTimeout(resolve, frameMillis);
  requestAnimationFrame(() => { clearTimeout(timer); resolve(); });
});

/** Stops a search whose next selector needs the accessibility tree. */
class AriaWanted {
  constructor(alternative, position, roots) { Object.assign(this, { alternative, position, roots }); }
}

/** All elements of one alternative, in document order of its last selector. */
function all(chain, alternative) {
  let roots = [document];
  for (const [position, selector] of chain.entries()) {
    const inside = position === 0 ? roots : roots.map(root => root.shadowRoot ?? root);
    const known = state.found[`${request.token}/${alternative}/${position}`];
    if (selector.kind === 'aria' && request.tree) {
      if (!known) throw new AriaWanted(alternative, position, inside);
      roots = known.filter(node => node.isConnected);
    } else if (selector.kind === 'nth') {
      roots = roots.slice(selector.index, selector.index + 1);
    } else {
      roots = [...new Set(inside.flatMap(root => [...FINDERS[selector.kind](root, selector.text, selector)]))];
    }
    if (roots.length === 0) break;
  }
  return roots;
}

/** The first element of the first alternative that has one. */
function first() {
  const broken = [];
  for (const [alternative, { name, selectors }] of request.alternatives.entries()) {
    try {
      const node = all(selectors, alternative)[0];
      if (node) return { node, name };
    } catch (reason) {
      if (reason instanceof AriaWanted) throw reason;
      broken.push(`${name} is no valid selector`);
    }
  }
  const hopeless = broken.length === request.alternatives.length;
  const names = request.alternatives.map(({ name }) => name).join(' or ');
  return { problem: hopeless ? broken.join('; ') : `no element matches ${names}`, hopeless };
}

/** Asks for the accessibility tree if that is why the search stopped. */
function wanted(reason) {
  if (!(reason instanceof AriaWanted)) throw reason;
  state.roots = reason.roots.slice(0, request.rootsMax);
  return { aria: { alternative: reason.alternative, position: reason.position, roots: state.roots.length } };
}

const FINDERS = {
  css: (root, text) => root.querySelectorAll(text),
  xpath: byXpath,
  text: byText,
  pierce: byPiercing,
};

function byXpath(root, text) {
  const kind = XPathResult.ORDERED_NODE_SNAPSHOT_TYPE;
  const found = document.evaluate(text, root, null, kind, null);
  return Array.from({ length: found.snapshotLength }, (_, index) => found.snapshotItem(index));
}

function* byPiercing(root, text) {
  yield* root.querySelectorAll(text);
  const around = root.shadowRoot ? [root, ...root.querySelectorAll('*')] : root.querySelectorAll('*');
  for (const element of around) {
    if (element.shadowRoot) yield* byPiercing(element.shadowRoot, text);
  }
}

/** The deepest elements whose whole text contains `text`. */
function byText(root, text) {
  const texts = new Map();
  const full = node => {
    if (texts.has(node)) return texts.get(node);
    let whole = '';
    if (isField(node)) {
      whole = node.value;
    } else {
      for (const child of node.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) whole += child.nodeValue ?? '';
        else if (child.nodeType === Node.ELEMENT_NODE && isReadable(child)) whole += full(child);
      }
      if (node.shadowRoot) whole += full(node.shadowRoot);
    }
    texts.set(node, whole);
    return whole;
  };
  const found = [];
  const search = node => {
    let deeper = false;
    const children = node.shadowRoot ? [...node.shadowRoot.children, ...node.children] : [...node.children];
    for (const child of children) {
      if (!isReadable(child) || !full(child).includes(text)) continue;
      deeper = true;
      if (!search(child)) found.push(child);
    }
    return deeper;
  };
  search(root);
  return found;
}

function isField(node) {
  if (node instanceof HTMLSelectElement || node instanceof HTMLTextAreaElement) return true;
  return node instanceof HTMLInputElement && !['checkbox', 'image', 'radio'].includes(node.type);
}

function isReadable(node) {
  return !['SCRIPT', 'STYLE'].includes(node.nodeName) && !document.head?.contains(node);
}

/** Whether there is something to be seen of an element, if one scrolls there. */
function isVisible(node) {
  const element = node instanceof Element ? node : node.parentElement;
  if (!element?.isConnected) return false;
  const { width, height } = element.getBoundingClientRect();
  const hasBox = width > 0 && height > 0 || [...element.getClientRects()].some(box => box.width > 0 && box.height > 0);
  return hasBox && getComputedStyle(element).visibility === 'visible';
}

/** The part of a box that is in view: in this window, and in what is known to be seen of it. */
function partInView(box, seen) {
  // In a page without a doctype it is the body that is as large as the window.
  const root = document.compatMode === 'BackCompat' ? document.body : document.documentElement;
  const { clientWidth, clientHeight } = root ?? {};
  const all = { x: 0, y: 0, width: clientWidth || innerWidth, height: clientHeight || innerHeight };
  return [all, seen].filter(Boolean).reduce((one, two) => {
    const x = Math.max(one.x, two.x), y = Math.max(one.y, two.y);
    const width = Math.min(one.x + one.width, two.x + two.width) - x;
    return { x, y, width, height: Math.min(one.y + one.height, two.y + two.height) - y };
  }, box);
}

/** What is around a node, through slots and shadow roots. */
function parentOf(node) {
  return node.assignedSlot ?? node.parentNode ?? node.host;
}

function isPartOf(inner, outer) {
  for (let node = inner; node; node = parentOf(node)) if (node === outer) return true;
  return false;
}

/** Why a point that should be the element's is not, in words. */
function covering(element, point, name) {
  return obstacle(element, point, name)?.why ?? null;
}

/** Why a point that should be the element's is not, and whether something lies over it. */
function obstacle(element, { x, y }, name) {
  let hit = document.elementFromPoint(x, y);
  while (hit?.shadowRoot) {
    const deeper = hit.shadowRoot.elementFromPoint(x, y);
    if (!deeper || deeper === hit) break;
    hit = deeper;
  }
  if (hit && (isPartOf(hit, element) || hit.closest('label')?.control === element)) return null;
  const { visibility, pointerEvents } = getComputedStyle(element);
  if (visibility !== 'visible') return { why: `${name} is not to be seen (visibility: ${visibility})` };
  if (pointerEvents === 'none') return { why: `${name} takes no clicks (pointer-events: none)` };
  const isIn = box => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
  if (![...element.getClientRects()].some(isIn)) {
    const { width, height } = element.getBoundingClientRect();
    return { why: `the offset is outside of ${name}, which is ${Math.round(width)} x ${Math.round(height)} pixels large` };
  }
  if (!hit) return { why: `${name} is outside of the viewport there` };
  return { why: `${name} is covered by ${tag(hit)}`, isOver: true };
}

/** The beginning of a text. Where it is cut is to be seen: what is left there of a secret is taken out later. */
function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')}…` : text;
}

/** An element as its start tag, in short. */
function tag(element) {
  const attributes = ['id', 'class', 'role', 'name'].filter(name => element.getAttribute(name));
  const written = attributes.map(name => ` ${name}="${shortened(element.getAttribute(name), 40)}"`);
  return `<${element.localName}${written.join('')}>`;
}

/** Tells the page that a person has changed it. */
function tell(element) {
  element.dispatchEvent(new Event('input', { bubbles: true }));
  element.dispatchEvent(new Event('change', { bubbles: true }));
}

/** Runs a script and answers, whatever happens. */
function reply(answer) {
  Promise.resolve().then(answer).then(done, reason => done({ error: String(reason?.message ?? reason) }));
}

/** Looks whenever the page changes, until it is as wanted or the time for this call is over. */
function replyInTime(look) {
  reply(async () => {
    const until = performance.now() + (request.sliceMillis ?? 0);
    for (;;) {
      const answer = await look();
      const left = until - performance.now();
      if (answer.again === undefined || answer.hopeless || left <= 0) return answer;
      await change(left);
    }
  });
}

/** Waits for a change of the document. What changes without one is seen after `millis`. */
function change(millis) {
  return new Promise(resolve => {
    const observer = new MutationObserver(() => finish());
    const timer = setTimeout(() => finish(), millis);
    const finish = () => { clearTimeout(timer); observer.disconnect(); resolve(); };
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  });
}
