// One look at the elements of a locator: how many there are, and how the first of them is.

reply(() => {
  let nodes;
  try {
    nodes = all(request.alternatives[0].selectors, 0);
  } catch (reason) {
    if (reason instanceof DOMException) return { hopeless: `it is no valid selector: ${reason.message}` };
    return wanted(reason);
  }
  const elements = nodes.map(node => (node instanceof Element ? node : node.parentElement)).filter(Boolean);
  const first = elements[0];
  if (first && request.focus) first.focus();
  return {
    count: elements.length,
    first: first ? seen(first) : null,
    near: !first && request.near ? near() : [],
  };
});

function seen(element) {
  return {
    visible: isVisible(element),
    enabled: !element.matches(':disabled') && element.getAttribute('aria-disabled') !== 'true',
    checked: Boolean(element.checked) || element.getAttribute('aria-checked') === 'true',
    text: folded(element.innerText ?? element.textContent ?? ''),
    value: typeof element.value === 'string' ? element.value : null,
    attribute: request.attribute ? element.getAttribute(request.attribute) : null,
  };
}

function isVisible(element) {
  if (element.checkVisibility && !element.checkVisibility({ visibilityProperty: true })) return false;
  return [...element.getClientRects()].some(({ width, height }) => width > 0 && height > 0);
}

function folded(text) {
  return text.trim().replace(/\s+/g, ' ').slice(0, 10000);
}

/** What could have been meant instead, of the kind that was asked for. */
function near() {
  const named = 'button, a[href], input, select, textarea, label, h1, h2, h3, [role], [aria-label]';
  const names = {
    name: () => [...document.querySelectorAll(named)].map(element =>
      element.getAttribute('aria-label') || element.labels?.[0]?.innerText || element.innerText || element.placeholder || ''),
    id: () => [...document.querySelectorAll('[id]')].map(({ id }) => `#${id}`),
    test_id: () => [...document.querySelectorAll('[data-testid]')].map(element => element.getAttribute('data-testid')),
  }[request.near]();
  return [...new Set(names.map(name => folded(name).slice(0, 60)).filter(Boolean))].slice(0, 500);
}
