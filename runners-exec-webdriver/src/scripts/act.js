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
  const asleep = () => idle(element, found.name);
  if (asleep()) return { again: asleep() };

  let [share, still] = await Promise.all([shareInView(element), isStill(element)]);
  // What is pointed at is to be seen whole, or else its points count from another corner.
  const isToFit = request.fit && (request.action !== 'fill' || isCheck(element));
  const to = share === 0 ? 'center' : share < 1 && isToFit ? 'nearest' : null;
  if (to) {
    element.scrollIntoView({ block: to, inline: to, behavior: 'instant' });
    [share, still] = await Promise.all([shareInView(element), isStill(element)]);
    if (share === 0) {
      const other = request.strict ? seenInstead(element) : '';
      return { again: `${found.name} is not rendered where it can be scrolled into view${other}` };
    }
  }
  if (!still) return { again: `${found.name} is moving` };
  if (asleep()) return { again: asleep() };
  if (!element.isConnected) return { again: `${found.name} was taken out of the page` };

  const before = mark();
  const aimed = () => aim(element, found.name, Boolean(to));
  switch (request.action) {
    case 'fill':
      return { ...await fill(element, request.value, aimed, found.name), before };
    case 'scroll':
      element.scrollTo({ left: request.x, top: request.y, behavior: 'instant' });
      return { done: true, before };
    default:
      return { ...await aim(element, found.name, Boolean(to)), before };
  }
});

/** Where to point at it; in `strict` mode nothing may lie over that place. */
async function aim(element, name, wasScrolled) {
  // Where frames around may have been scrolled, it is no longer known what they show.
  let at = spot(element, request.offset, wasScrolled ? null : request.visible, wasScrolled);
  if (!at) return { again: `${name} has no place to click` };
  if (!request.strict) return { spot: at };
  let over = obstacle(element, at.point, name);
  // Bars stick to the edges of windows. Where scrolling does not help, a step does it once.
  const isNew = state.uncovered !== element || request.sliceMillis === 0;
  for (const block of over?.isOver && isNew ? ['center', 'end', 'start'] : []) {
    state.uncovered = element;
    element.scrollIntoView({ block, inline: 'nearest', behavior: 'instant' });
    if (!await isStill(element)) return { again: `${name} is moving` };
    at = spot(element, request.offset, null, true) ?? at;
    over = obstacle(element, at.point, name);
    if (!over?.isOver) break;
  }
  if (over) return { again: over.why };
  state.uncovered = null;
  return { spot: at };
}

/** Which other match can be seen: a step takes the first one, and another one may be what is meant. */
function seenInstead(element) {
  for (const [alternative, { name, selectors }] of request.alternatives.entries()) {
    let nodes = [];
    try {
      nodes = all(selectors, alternative);
    } catch {
      // It is no valid selector, or would have to ask for the accessibility tree.
    }
    const isSeen = node => node !== element && node instanceof Element && node.checkVisibility?.({ visibilityProperty: true });
    const at = nodes.findIndex(isSeen);
    if (at >= 0) return `; match ${at + 1} of ${nodes.length} of ${name} is visible: ${pathTo(nodes[at])}`;
  }
  return '';
}

/** A CSS selector of this element alone, from the nearest one around it that has an id. */
function pathTo(element) {
  const parts = [];
  for (let node = element; node && node !== document.documentElement; node = node.parentElement) {
    if (node.id && document.querySelectorAll(`#${CSS.escape(node.id)}`).length === 1) {
      parts.unshift(`#${CSS.escape(node.id)}`);
      break;
    }
    const alike = [...node.parentNode?.children ?? []].filter(({ localName }) => localName === node.localName);
    const place = alike.length > 1 ? `:nth-of-type(${alike.indexOf(node) + 1})` : '';
    parts.unshift(CSS.escape(node.localName) + place);
  }
  return parts.join(' > ');
}

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
  for (let node = element; node; node = parentOf(node)) around.add(node);
  const moves = ({ playState, effect, timeline }) =>
    playState === 'running' && timeline === document.timeline && around.has(effect?.target);
  return document.getAnimations?.().filter(moves) ?? [];
}

function isDisabled(element) {
  if (request.strict) return element.matches(':disabled');
  const controls = ['BUTTON', 'INPUT', 'SELECT', 'TEXTAREA', 'OPTION', 'OPTGROUP'];
  return controls.includes(element.nodeName) && element.hasAttribute('disabled');
}

/** Why a person could do nothing to it. */
function idle(element, name) {
  if (!request.enabled) return null;
  if (isDisabled(element)) return `${name} is disabled`;
  if (!request.strict) return null;
  return request.action === 'fill' && !isCheck(element) ? barred(element, name) : inert(element, name);
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
