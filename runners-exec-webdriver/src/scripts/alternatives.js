// Names an element in several ways, the most stable first. Each way was tried here, and found this
// element and no other. How selectors find is in `find.js` and `names.js`, which go before.

/** Attributes that are there for tests. */
const TEST_IDS = ['data-testid', 'data-test-id', 'data-test', 'data-cy', 'data-qa', 'data-pw'];
/** Attributes that tell an element from its neighbours, the best first. */
const TELLING = ['name', 'aria-label', 'placeholder', 'for', 'type', 'value', 'href', 'alt', 'title', 'role'];
/** The longest name or text that a selector has, in characters. */
const NAME_MAX = 80;
/** The longest attribute that a selector has, in characters. */
const ATTRIBUTE_MAX = 100;

/** The ways to find an element: strings, and chains of them through shadow roots. */
function alternativesOf(element) {
  const inShadow = element.getRootNode() instanceof ShadowRoot;
  const ways = [];
  const found = (kind, text, selector) => {
    try {
      const all = [...FINDERS[kind](document, text, selector)];
      return all.length === 1 && all[0] === element;
    } catch {
      return false;
    }
  };
  for (const name of TEST_IDS) {
    const value = element.getAttribute(name);
    if (!value || value.length > ATTRIBUTE_MAX) continue;
    const css = `[${name}=${quoted(value)}]`;
    if (found(inShadow ? 'pierce' : 'css', css)) ways.push([inShadow ? `pierce/${css}` : css]);
  }
  const [name, role] = [nameOf(element), roleOf(element)];
  if (name && name.length <= NAME_MAX && !/[[\]]/.test(name)) {
    const aria = role ? `aria/${name}[role="${role}"]` : `aria/${name}`;
    if (found('aria', null, { name, role })) ways.push([aria]);
  }
  const text = isField(element) ? '' : (element.textContent ?? '').trim();
  if (text && text.length <= NAME_MAX && !/[\n\t]| {2}/.test(text) && found('text', text)) ways.push([`text/${text}`]);
  const chain = chainTo(element);
  if (chain) ways.push(chain);
  if (inShadow) {
    const css = isStable(element.id) ? `#${CSS.escape(element.id)}` : null;
    if (css && found('pierce', css)) ways.push([`pierce/${css}`]);
  } else {
    const xpath = xpathTo(element);
    if (found('xpath', xpath)) ways.push([`xpath/${xpath}`]);
  }
  return ways;
}

/** CSS selectors from the document through the shadow roots around an element to it. */
function chainTo(element) {
  const chain = [];
  for (let node = element; node;) {
    const root = node.getRootNode();
    const css = cssIn(root, node);
    if (!css) return null;
    chain.unshift(css);
    node = root instanceof ShadowRoot ? root.host : null;
  }
  return chain;
}

/** The shortest CSS selector that was thought of, and finds an element alone below a root. */
function cssIn(root, element) {
  const isAlone = css => {
    const all = root.querySelectorAll(css);
    return all.length === 1 && all[0] === element;
  };
  if (isStable(element.id) && isAlone(`#${CSS.escape(element.id)}`)) return `#${CSS.escape(element.id)}`;
  const tag = CSS.escape(element.localName);
  if (isAlone(tag)) return tag;
  const told = TELLING.filter(name => isTelling(element, name)).map(name => attribute(element, name));
  for (const one of told) if (isAlone(tag + one)) return tag + one;
  if (told.length > 1 && isAlone(tag + told.join(''))) return tag + told.join('');
  const path = [];
  for (let node = element; node; node = node.parentElement) {
    const isAnchor = node !== element && isStable(node.id) && root.querySelectorAll(`#${CSS.escape(node.id)}`).length === 1;
    path.unshift(isAnchor ? `#${CSS.escape(node.id)}` : placed(node));
    if (isAlone(path.join(' > '))) return path.join(' > ');
    if (isAnchor) break;
  }
  return null;
}

/** An element by its tag and its place among those of the same tag. */
function placed(element) {
  const siblings = [...(element.parentNode?.children ?? [])].filter(({ localName }) => localName === element.localName);
  const tag = CSS.escape(element.localName);
  return siblings.length > 1 ? `${tag}:nth-of-type(${siblings.indexOf(element) + 1})` : tag;
}

function xpathTo(element) {
  const path = [];
  for (let node = element; node; node = node.parentElement) {
    if (isStable(node.id) && !/["']/.test(node.id)) return `//*[@id="${node.id}"]${path.map(part => `/${part}`).join('')}`;
    const siblings = [...(node.parentNode?.children ?? [])].filter(({ localName }) => localName === node.localName);
    const name = node.namespaceURI === 'http://www.w3.org/1999/xhtml' ? node.localName : `*[local-name()="${node.localName}"]`;
    path.unshift(siblings.length > 1 ? `${name}[${siblings.indexOf(node) + 1}]` : name);
  }
  return `/${path.join('/')}`;
}

function isTelling(element, name) {
  const value = element.getAttribute(name);
  if (!value || value.length > ATTRIBUTE_MAX || /[\n\r]/.test(value)) return false;
  // What stands in a field, or may, is what a person types: it is no name.
  if (name === 'value') return ['radio', 'checkbox', 'submit', 'button', 'reset'].includes(element.type);
  return name === 'type' || name === 'role' || isStable(value);
}

/** Whether a name looks as if somebody had chosen it: one that was counted or drawn is another tomorrow. */
function isStable(id) {
  return Boolean(id) && id.length <= ATTRIBUTE_MAX && !/\d{4,}|[0-9a-f]{8,}|^:|:$|^[0-9]+$/i.test(id);
}

function attribute(element, name) {
  return `[${name}=${quoted(element.getAttribute(name))}]`;
}

function quoted(value) {
  return `"${value.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\a ')}"`;
}
