// One look at a child frame from its parent: which element holds it, and where a point of it lies
// here. Without an index or selectors, only where this frame is and how many it has.

reply(() => {
  const frames = childFrames(document);
  const here = { count: frames.length, url: location.href };
  // The browser counts them as they came; it leaves out those in shadow roots.
  const inOrder = frames.length === window.length;
  if (request.alternatives) return { ...here, ...chosen(frames, inOrder) };
  if (request.index === undefined) return here;
  const element = inOrder
    ? frames.find(({ contentWindow }) => contentWindow === window[request.index])
    : frames[request.index];
  if (!element) return here;
  if (!request.point) {
    reveal(element);
    return { ...here, element };
  }
  const point = outside(element, request.point);
  return { ...here, point, covered: request.strict ? covering(element, point, 'the frame') : null };
});

/** The frame that selectors lead to. */
function chosen(frames, inOrder) {
  const { node, name, problem } = first();
  if (!node) return { missing: problem };
  if (!frames.includes(node)) return { missing: `${name} is no frame` };
  reveal(node);
  const places = Array.from(frames, (_, place) => place);
  const index = inOrder ? places.find(place => window[place] === node.contentWindow) : frames.indexOf(node);
  return { element: node, index };
}

function childFrames(root) {
  return [...root.querySelectorAll('*')].flatMap(element => {
    if (element instanceof HTMLIFrameElement || element instanceof HTMLFrameElement) return [element];
    return element.shadowRoot ? childFrames(element.shadowRoot) : [];
  });
}

/** What lies out of view is not painted, and an element in it is never seen to be still. */
function reveal(element) {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  const isInView = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
  if (!isInView) element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
}

/** Where a point of the frame's viewport is in ours: behind border and padding, and scaled. */
function outside(element, { x, y }) {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const across = element.offsetWidth ? box.width / element.offsetWidth : 1;
  const down = element.offsetHeight ? box.height / element.offsetHeight : 1;
  return {
    x: box.left + across * (element.clientLeft + parseFloat(style.paddingLeft) + x),
    y: box.top + down * (element.clientTop + parseFloat(style.paddingTop) + y),
  };
}
