// One look at a child frame from its parent: which element holds it, what of it is in view, and where a
// point of it lies here. Without an index or selectors, only where this frame is and how many it has.

reply(async () => {
  // A frame of another process is scrolled later than what is in it asks for, and a click finds it where it
  // was painted last.
  if (request.spot?.scrolled) await frame().then(frame);
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
  if (!request.spot) return { ...here, element, visible: reveal(element) };
  const { scrolled } = request.spot;
  const [point, part] = [request.spot.point, request.spot.part].map(inner => outside(element, inner));
  const { width, height } = partInView(part);
  if (part.width - width > 1 || part.height - height > 1) return { ...here, cut: true };
  return { ...here, spot: { point, part, scrolled }, covered: request.strict ? covering(element, point, 'the frame') : null };
});

/** The frame that selectors lead to. */
function chosen(frames, inOrder) {
  const { node, name, problem } = first();
  if (!node) return { missing: problem };
  if (!frames.includes(node)) return { missing: `${name} is no frame` };
  const visible = reveal(node);
  const places = Array.from(frames, (_, place) => place);
  const index = inOrder ? places.find(place => window[place] === node.contentWindow) : frames.indexOf(node);
  return { element: node, index, visible };
}

function childFrames(root) {
  return [...root.querySelectorAll('*')].flatMap(element => {
    if (element instanceof HTMLIFrameElement || element instanceof HTMLFrameElement) return [element];
    return element.shadowRoot ? childFrames(element.shadowRoot) : [];
  });
}

/**
 * Brings a frame into view of which nothing is, for an element that is not painted is never seen to be still.
 * Answers the part of the frame's window that is in view, as the frame counts, if that is known.
 */
function reveal(element) {
  const box = element.getBoundingClientRect();
  const { width, height } = partInView(box, request.visible);
  if ((width <= 0 && width < box.width) || (height <= 0 && height < box.height)) {
    element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    // The frames around this one may have been scrolled.
    if (request.visible) return null;
  }
  const { x, y, across, down, ...size } = windowOf(element);
  const part = partInView({ x, y, width: across * size.width, height: down * size.height }, request.visible);
  return { x: (part.x - x) / across, y: (part.y - y) / down, width: part.width / across, height: part.height / down };
}

/** Where something in the frame's window is in ours. */
function outside(element, { x, y, width = 0, height = 0 }) {
  const { across, down, ...corner } = windowOf(element);
  return { x: corner.x + across * x, y: corner.y + down * y, width: across * width, height: down * height };
}

/** Where a frame's window begins in ours, behind border and padding, its own size, and how it is scaled. */
function windowOf(element) {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const padding = side => parseFloat(style[`padding${side}`]) || 0;
  const across = box.width / element.offsetWidth || 1;
  const down = box.height / element.offsetHeight || 1;
  return {
    across,
    down,
    x: box.left + across * (element.clientLeft + padding('Left')),
    y: box.top + down * (element.clientTop + padding('Top')),
    width: element.clientWidth - padding('Left') - padding('Right'),
    height: element.clientHeight - padding('Top') - padding('Bottom'),
  };
}
