// One look at the page before an element is acted on: finds it, brings it into view, sees whether
// it is still, enabled and has a place to click. Then either answers that place, or does at once
// what a script can do: fill in a form control, or scroll.

reply(async () => {
  if (document.hidden && request.canShow) return { hidden: true };
  let found;
  try {
    found = first();
  } catch (reason) {
    return wanted(reason);
  }
  if (found.problem) return { again: found.problem, hopeless: found.hopeless };
  const element = found.node instanceof Element ? found.node : found.node.parentElement;
  if (!element) return { again: `${found.name} is no element` };

  if (!(await isInView(element))) {
    element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    if (!(await isInView(element))) return { again: `${found.name} is not rendered where it can be scrolled into view` };
  }
  if (!(await isStill(element))) return { again: `${found.name} is moving` };
  if (request.enabled && isDisabled(element)) return { again: `${found.name} is disabled` };
  if (!element.isConnected) return { again: `${found.name} was taken out of the page` };

  const before = mark();
  const place = () => point(element, request.offset);
  const over = at => (request.strict && at ? covering(element, at, found.name) : null);
  switch (request.action) {
    case 'fill':
      return { ...fill(element, request.value, place, found.name), before };
    case 'scroll':
      element.scrollTo({ left: request.x, top: request.y, behavior: 'instant' });
      return { done: true, before };
    default: {
      const at = place();
      const covered = over(at);
      if (covered) return { again: covered };
      return at ? { point: at, before } : { again: `${found.name} has no place to click` };
    }
  }
});

function isInView(element) {
  const seen = element instanceof SVGElement ? element.ownerSVGElement ?? element : element;
  return new Promise(resolve => {
    const observer = new IntersectionObserver(entries => finish(entries[0].intersectionRatio > 0));
    const timer = setTimeout(() => finish(isInViewport(seen)), frameMillis);
    const finish = answer => { clearTimeout(timer); observer.disconnect(); resolve(answer); };
    observer.observe(seen);
  });
}

/** What there is to say where nothing is painted: in a page in the background. */
function isInViewport(element) {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  return right >= 0 && bottom >= 0 && left <= innerWidth && top <= innerHeight;
}

async function isStill(element) {
  await frame();
  const one = element.getBoundingClientRect();
  await frame();
  const two = element.getBoundingClientRect();
  return one.x === two.x && one.y === two.y && one.width === two.width && one.height === two.height;
}

function isDisabled(element) {
  const controls = ['BUTTON', 'INPUT', 'SELECT', 'TEXTAREA', 'OPTION', 'OPTGROUP'];
  return controls.includes(element.nodeName) && element.hasAttribute('disabled');
}

/** A point of the first box that has a pixel in the viewport: at the offset, or its middle. */
function point(element, offset) {
  const { clientWidth, clientHeight } = document.documentElement;
  for (const { left, top, right, bottom } of element.getClientRects()) {
    const x = Math.max(left, 0), y = Math.max(top, 0);
    const width = Math.min(right, clientWidth || innerWidth) - x, height = Math.min(bottom, clientHeight || innerHeight) - y;
    if (width >= 1 && height >= 1) {
      return offset ? { x: x + offset.x, y: y + offset.y } : { x: x + width / 2, y: y + height / 2 };
    }
  }
  return null;
}

/** Gives a form control a value, as far as a script should; says what is left to do. */
function fill(element, value, place, name) {
  if (element instanceof HTMLSelectElement) return select(element, value, name);
  const role = element.getAttribute('role');
  const isInput = element instanceof HTMLInputElement;
  if (isInput ? ['checkbox', 'radio'].includes(element.type) : ['checkbox', 'radio', 'switch'].includes(role)) {
    return check(element, value, place, name);
  }
  const typed = ['text', 'url', 'tel', 'search', 'password', 'number', 'email'];
  const isTyped = element instanceof HTMLTextAreaElement || (isInput && typed.includes(element.type));
  if (isTyped || (!isInput && element.isContentEditable)) {
    return value.length < request.typedMax ? leftToType(element, value) : assign(element, value);
  }
  if (isInput && element.type === 'file') return { again: `${name} takes files, which a flow cannot give`, hopeless: true };
  if (isInput) return assign(element, value);
  return { again: `${name} is a <${element.localName}>, which cannot be filled in`, hopeless: true };
}

function select(element, value, name) {
  const options = [...element.options];
  const chosen = options.find(option => option.value === value);
  if (!chosen) {
    const values = options.slice(0, 10).map(option => JSON.stringify(option.value)).join(', ');
    return { again: `${name} has no option with the value ${JSON.stringify(value)}; it has ${values || 'none'}` };
  }
  for (const option of options) option.selected = option === chosen;
  tell(element);
  return { done: true };
}

function check(element, value, place, name) {
  if (value === 'false') {
    return { again: `${name} would be checked by the value "false"; an empty value unchecks it`, hopeless: true };
  }
  const isMixed = element.indeterminate || element.getAttribute('aria-checked') === 'mixed';
  const isChecked = element.checked || element.getAttribute('aria-checked') === 'true';
  if (!isMixed && isChecked === Boolean(value)) return { done: true };
  const at = place();
  return at ? { point: at } : { again: `${name} has no place to click` };
}

/** Empties the control, or goes to its end if it has the beginning already. */
function leftToType(element, value) {
  const member = element.isContentEditable ? 'innerText' : 'value';
  const current = element[member];
  if (current === value) return { done: true };
  const kept = current && value.startsWith(current) ? current : '';
  element[member] = '';
  if (kept) element[member] = kept;
  element.focus();
  if (element.isContentEditable) getSelection().selectAllChildren(element), getSelection().collapseToEnd();
  return { type: value.slice(kept.length) };
}

/** Sets a value in one go, past the setters that frameworks put before the element's own. */
function assign(element, value) {
  element.focus();
  const member = element.isContentEditable ? 'innerText' : 'value';
  if (element[member] === value) return { done: true };
  const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(element), member);
  if (own?.set) own.set.call(element, value);
  else element[member] = value;
  tell(element);
  return { done: true };
}
