// One look at the page before an element is acted on: finds it, brings it into view, sees whether
// it is still, enabled and has a place to click. Then either answers that place, or does at once
// what a script can do: fill in a form control, or scroll.

replyInTime(async () => {
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
  // Asked before as well: what becomes enabled may begin to move.
  const disabled = () => (request.enabled && isDisabled(element) ? { again: `${found.name} is disabled` } : null);
  if (disabled()) return disabled();

  let [share, still] = await Promise.all([shareInView(element), isStill(element)]);
  // What is pointed at is to be seen whole, or else its points count from another corner.
  const isToFit = request.fit && (request.action !== 'fill' || isCheck(element));
  const to = share === 0 ? 'center' : share < 1 && isToFit ? 'nearest' : null;
  if (to) {
    element.scrollIntoView({ block: to, inline: to, behavior: 'instant' });
    [share, still] = await Promise.all([shareInView(element), isStill(element)]);
    if (share === 0) return { again: `${found.name} is not rendered where it can be scrolled into view` };
  }
  if (!still) return { again: `${found.name} is moving` };
  if (disabled()) return disabled();
  if (!element.isConnected) return { again: `${found.name} was taken out of the page` };

  const before = mark();
  // Where frames around may have been scrolled, it is no longer known what they show.
  const place = () => spot(element, request.offset, to ? null : request.visible, Boolean(to));
  const over = at => (request.strict && at ? covering(element, at.point, found.name) : null);
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
      return at ? { spot: at, before } : { again: `${found.name} has no place to click` };
    }
  }
});

/** How much of it is in view, from 0 to 1, through all frames. */
function shareInView(element) {
  const seen = element instanceof SVGElement ? element.ownerSVGElement ?? element : element;
  return new Promise(resolve => {
    const observer = new IntersectionObserver(entries => finish(entries[0].intersectionRatio));
    const timer = setTimeout(() => finish(shareInWindow(seen)), frameMillis);
    const finish = answer => { clearTimeout(timer); observer.disconnect(); resolve(answer); };
    observer.observe(seen);
  });
}

/** What there is to say where nothing is painted yet: in a page in the background, and on a busy machine. */
function shareInWindow(element) {
  const box = element.getBoundingClientRect();
  const { width, height } = partInView(box, request.visible);
  if (width < 0 || height < 0) return 0;
  const area = box.width * box.height;
  return area > 0 ? (width * height) / area : 1;
}

/** Whether it is where it was, a frame later; one more if something is about to move it. */
async function isStill(element) {
  const one = element.getBoundingClientRect();
  const isThere = () => {
    const two = element.getBoundingClientRect();
    return one.x === two.x && one.y === two.y && one.width === two.width && one.height === two.height;
  };
  await frame();
  if (!isThere()) return false;
  const times = new Map(animations(element).map(animation => [animation, animation.currentTime]));
  if (times.size === 0) return true;
  await frame();
  // An animation moves nothing before its time has begun to pass.
  const pass = animations(element).every(animation => times.has(animation) && times.get(animation) !== animation.currentTime);
  return isThere() && (pass || document.hidden);
}

/** The animations that run, or are to run, on the element or around it. */
function animations(element) {
  const around = new Set();
  for (let node = element; node; node = node.assignedSlot ?? node.parentNode ?? node.host) around.add(node);
  const moves = ({ playState, effect, timeline }) =>
    playState === 'running' && timeline === document.timeline && around.has(effect?.target);
  return document.getAnimations?.().filter(moves) ?? [];
}

function isDisabled(element) {
  const controls = ['BUTTON', 'INPUT', 'SELECT', 'TEXTAREA', 'OPTION', 'OPTGROUP'];
  return controls.includes(element.nodeName) && element.hasAttribute('disabled');
}

/**
 * The part in view of the first box that has a pixel there, and a point: at the offset from the corner of
 * that part, or its middle.
 */
function spot(element, offset, visible, scrolled) {
  const parts = Array.from(element.getClientRects(), box => partInView(box, visible));
  const part = parts.find(({ width, height }) => width >= 1 && height >= 1);
  if (!part) return null;
  const { x, y } = offset ?? { x: part.width / 2, y: part.height / 2 };
  return { point: { x: part.x + x, y: part.y + y }, part, scrolled };
}

/** Gives a form control a value, as far as a script should; says what is left to do. */
function fill(element, value, place, name) {
  if (element instanceof HTMLSelectElement) return select(element, value, name);
  const isInput = element instanceof HTMLInputElement;
  if (isCheck(element)) return check(element, value, place, name);
  const typed = ['text', 'url', 'tel', 'search', 'password', 'number', 'email'];
  const isTyped = element instanceof HTMLTextAreaElement || (isInput && typed.includes(element.type));
  if (isTyped || (!isInput && element.isContentEditable)) {
    if (request.strict && element.readOnly) return { again: `${name} is read-only` };
    return value.length < request.typedMax ? leftToType(element, value) : assign(element, value);
  }
  if (isInput && element.type === 'file') return { again: `${name} takes files, which a flow cannot give`, hopeless: true };
  if (isInput) return assign(element, value);
  return { again: `${name} is a <${element.localName}>, which cannot be filled in`, hopeless: true };
}

/** Whether it is filled in by a click. */
function isCheck(element) {
  if (element instanceof HTMLInputElement) return ['checkbox', 'radio'].includes(element.type);
  return ['checkbox', 'radio', 'switch'].includes(element.getAttribute('role'));
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
  return at ? { spot: at } : { again: `${name} has no place to click` };
}

/** Empties the control, or goes to its end if it has the beginning already. */
function leftToType(element, value) {
  const member = element.isContentEditable ? 'innerText' : 'value';
  const current = element[member];
  if (current === value) return { done: true };
  if (request.strict) return replaced(element, member, value);
  const kept = current && value.startsWith(current) ? current : '';
  element[member] = '';
  if (kept) element[member] = kept;
  const left = value.slice(kept.length);
  if (!left) return { done: true };
  element.focus();
  if (element.isContentEditable) getSelection().selectAllChildren(element), getSelection().collapseToEnd();
  return { type: left };
}

/**
 * Replaces the text as a person does who pastes it, so that the page is told, but for its last
 * character: pages that listen for keys shall see one.
 */
function replaced(element, member, value) {
  element.focus();
  if (element.isContentEditable) getSelection().selectAllChildren(element);
  else element.select();
  const characters = [...value];
  const last = characters.pop();
  if (last === undefined) {
    if (!document.execCommand('delete')) element[member] = '';
    return { done: true };
  }
  // A new line is a key of its own; what is typed takes the place of what is selected.
  if (characters.length === 0 || /[\r\n]/.test(value)) return { type: value };
  return { type: document.execCommand('insertText', false, characters.join('')) ? last : value };
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
